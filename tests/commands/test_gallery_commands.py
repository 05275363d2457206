"""``limner pictures``: what was painted is listed, judged, painted again and exported, as a user types it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from engine.pictures.orders.orders import order_for
from engine.pictures.orders.png_parameters import Parameters, png_text
from engine.pictures.orders.queue import Queue
from engine.project import Project
from tests.commands.conftest import Run
from tests.support.story import idle_painter


@pytest.fixture(autouse=True)
def four_pictures(project: Project) -> Iterator[None]:
    """Two of oil, one of light, one that failed; nobody paints."""
    project.change({"base.model": "demo"})
    project.pictures.mkdir()
    with project.store() as store:
        queue = Queue(store)
        for number, prompt in enumerate(("oil one", "light", "oil two", "oil three"), start=1):
            path = project.pictures / f"{number}.png"
            order = replace(order_for(project, prompt, seed=number * 7, path=path), steps=9)
            queue.add([order])
            if number == 4:
                queue.fail(number, "no memory")
                continue
            about = Parameters(prompt=prompt, steps=9, sampler="Euler a", guidance=6.0, seed=number * 7)
            Image.new("RGB", (32, 32), "teal").save(path, pnginfo=png_text(about))
            queue.finish(number, path, 1.0)
    with idle_painter(project):
        yield


def listed(run: Run, *words: str) -> list[int]:
    return [each["id"] for each in run("pictures", "list", *words, "--json").record["pictures"]]


def test_pictures_are_listed_newest_first_by_a_filter_typed_without_quotes(run: Run) -> None:
    assert listed(run) == [4, 3, 2, 1]
    assert listed(run, "oil", "-is:failed", "sort:oldest") == [1, 3]
    told = run("pictures", "list", "oil", "-is:failed")
    assert "oil two" in told.out
    assert told.err == "2 pictures, 0 favourites\n"
    assert run("pictures", "list", "nothing").out == ""
    record = run("pictures", "list", "id:2", "--json").record["pictures"][0]
    assert (record["seed"], record["steps"], record["state"], record["rating"]) == (14, 9, "done", 0)


def test_what_is_said_of_pictures_is_listed_and_taken_back(run: Run) -> None:
    assert run("pictures", "rate", 4, 1, 3).err == "Saved: 4 stars for 2 pictures\n"
    assert run("pictures", "favourite", 1).err == "Saved: favourite 1\n"
    assert run("pictures", "reject", 2, 4, "--json").record == {"action": "reject 2 pictures", "pictures": [2, 4]}
    assert listed(run, "rating:>=4") == [3, 1]
    assert listed(run) == [3, 1]
    assert listed(run, "is:rejected") == [4, 2]
    assert "♥" in run("pictures", "list", "id:1").out
    assert run("pictures", "undo").err == "Undone: reject 2 pictures\n"
    assert listed(run) == [4, 3, 2, 1]
    assert run("pictures", "redo").code == 0
    assert run("pictures", "reject", "--not", 2).code == 0
    assert listed(run) == [3, 2, 1]
    assert run("pictures", "favourite", "--not", 1, 3).err == "Saved: no favourite 1\n"
    assert run("pictures", "rate", 4, 1).err == "Nothing to change.\n"
    assert run("pictures", "rate", 5, "--where", "oil -is:failed", "--yes").err == "Saved: 5 stars for 2 pictures\n"


def test_a_picture_tells_what_made_it(run: Run) -> None:
    assert run("pictures", "show", 1).out == "oil one\nSteps: 9, Sampler: Euler a, CFG scale: 6, Seed: 7\n"
    assert "has no generation parameters" in run("pictures", "show", 4).err
    file = run("pictures", "show", 1, "--json").record["path"]
    assert run("pictures", "show", file).out == run("pictures", "show", 1).out, "of a file from anywhere, too"
    assert "there is no picture nowhere.png" in run("pictures", "show", "nowhere.png").failure
    assert run("pictures", "show", 1, "--json").record["parameters"].startswith("oil one\n")


def test_more_like_it_are_queued_with_new_seeds(run: Run) -> None:
    new = run("pictures", "again", 3, "--count", 3, "--json").record["pictures"]
    assert len({each["seed"] for each in new} - {21}) == 3
    waiting = run("queue", "--json").record["pictures"]
    assert [(each["prompt"], each["steps"]) for each in waiting] == [("oil two", 9)] * 3


def test_the_faces_of_a_picture_are_fixed_as_a_picture_of_its_own(run: Run, project: Project) -> None:
    run("pictures", "fix", 1)
    waits = run("queue", "--json").record["pictures"][0]
    assert (waits["source"], waits["face_fix"]["only"]) == (str(project.pictures / "1.png"), True)
    assert "there is no file of picture 4" in run("pictures", "fix", 4).failure


def test_favourites_are_copied_with_or_without_what_made_them(run: Run, tmp_path: Path, project: Project) -> None:
    run("pictures", "favourite", 1, 3)
    out = tmp_path / "best"
    done = run("pictures", "export", out)
    assert sorted(done.out.split()) == [str(out / "1.png"), str(out / "3.png")]
    assert (out / "1.png").read_bytes() == (project.pictures / "1.png").read_bytes()
    again = run("pictures", "export", out)
    assert (again.out, again.err) == ("", f"0 copied to {out}, 2 existed already.\n")
    bare = run("pictures", "export", out, "--no-metadata", "id:1", "--json").record
    assert bare == {"pictures": [{"path": str(out / "1-2.png"), "new": True}], "failed": []}
    with Image.open(out / "1-2.png") as picture:
        assert picture.info == {}


def test_pictures_dropped_into_the_folder_are_listed_and_others_told(run: Run, project: Project) -> None:
    about = Parameters(prompt="from elsewhere", steps=20, sampler="Euler a", guidance=7.0, seed=965400086)
    Image.new("RGB", (32, 48)).save(project.pictures / "mine.png", pnginfo=png_text(about))
    (project.pictures / "torn\x1b[2J.png").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    done = run("pictures", "list", "is:outside")
    assert "from elsewhere" in done.out
    assert "'torn\\x1b[2J.png' is not a picture that can be read" in done.err
    (project.pictures / "mine.png").unlink()
    assert listed(run, "is:outside") == []
    assert listed(run, "is:gone") == [5]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("list", "ratng:>=4"), "“ratng:>=4” is not understood: did you mean rating:?"),
        (("rate", 3, 99), "there is no picture 99: list them with: limner pictures list"),
        (("rate", 3, 4), "picture 4 was not painted: only a painted picture can be rated"),
        (("show", 99), "there is no picture 99"),
        (("again", 99), "there is no picture 99"),
        (("export", "out"), "there is no favourite yet: make some with: limner pictures favourite ID"),
        (("export", "out", "nothing"), "no painted picture fits the filter"),
    ],
)
def test_what_can_not_be_done_is_told_in_one_line(run: Run, words: tuple[object, ...], says: str) -> None:
    assert says in run("pictures", *words).failure


@pytest.mark.parametrize("words", [("rate", 6, 1), ("rate", 3), ("reject", 1, "--where", "oil"), ("favourite",)])
def test_what_is_typed_wrongly_ends_with_2(run: Run, words: tuple[object, ...]) -> None:
    assert run("pictures", *words).code == 2


def test_copies_into_the_project_s_own_pictures_are_refused(run: Run, project: Project) -> None:
    run("pictures", "favourite", 1)
    assert "would be found as new pictures" in run("pictures", "export", project.pictures / "best").failure
