"""``limner grid``, ``grids`` and ``votes``, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.pictures.gallery.votes import Votes
from engine.project import Project, create_project
from tests.support.png import read_parameters
from tests.support.small_project import random_lora, run_with, small_project
from tui.cli.main import main


def limner(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(folder), *arguments])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def told(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> dict[str, Any]:
    status, out, err = limner(capsys, folder, *arguments, "--json")
    assert status == 0, err
    return json.loads(out)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("grid")
    project = small_project(root / "james", images=0, painting__idle_seconds=20.0, painting__steps=2)
    run_with(project, random_lora(root / "a.safetensors"))
    return project


def test_a_grid_is_painted_extended_and_ranked(
    capsys: pytest.CaptureFixture[str], project: Project, tmp_path: Path
) -> None:
    axes = ("grid", "jx265", "--x", "checkpoint", "--prompt", "a man", "--prompt", "a man, sea", "--size", "64x64")
    sheet = tmp_path / "sheet.png"
    found = told(capsys, project.root, *axes, "--y", "strength=0.5", "-o", str(sheet))
    assert [(each["values"]["prompt"], each["seed"], each["state"]) for each in found["pictures"]] == [
        ("a man", 1, "done"),
        ("a man", 1, "done"),
        ("a man, sea", 1, "done"),
        ("a man, sea", 1, "done"),
    ]
    assert found["sheets"] == [str(sheet)]
    about = read_parameters(sheet)
    assert about is not None
    assert about.extra["X Values"] == "no LoRA, jx265"
    assert about.extra["Z Values"] == 'a man, "a man, sea"'

    wider = told(capsys, project.root, *axes, "--y", "strength=0.5-1.0 (+0.5)")
    assert wider["grid"] == found["grid"]
    assert {each["id"] for each in found["pictures"]} < {each["id"] for each in wider["pictures"]}
    assert len({each["id"] for each in wider["pictures"]}) == 6
    status, out, err = limner(capsys, project.root, *axes, "--y", "strength=1")
    assert status == 0
    assert "all painted" in err
    assert all(Path(line).is_file() for line in out.splitlines())

    with project.store() as store:
        for each in wider["pictures"]:
            if each["values"]["checkpoint"] != "none":
                Votes(store).cast(each["id"], 1 if each["values"]["strength"] == "1" else -1)
    ranked = told(capsys, project.root, "votes", "jx265")
    assert [(each["strength"], each["votes"], each["share"]) for each in ranked["checkpoints"]] == [
        (1.0, 2, 1.0),
        (0.5, 2, 0.0),
    ]
    assert {each["prompt"] for each in ranked["prompts"]} == {"a man", "a man, sea"}
    (listed,) = told(capsys, project.root, "grids")["grids"]
    assert (listed["name"], listed["cells"], listed["painted"]) == (found["grid"], 8, 8)


def test_it_can_be_queued_only(capsys: pytest.CaptureFixture[str], project: Project) -> None:
    found = told(capsys, project.root, "grid", "--x", "seed=5-6", "--no-wait", "--name", "two seeds")
    assert (found["grid"], found["sheets"], [each["seed"] for each in found["pictures"]]) == ("two_seeds", [], [5, 6])
    again = told(capsys, project.root, "grid", "--name", "two_seeds", "--cell", "32")
    assert [each["state"] for each in again["pictures"]] == ["done", "done"]
    assert again["sheets"] == [str(project.pictures / "grids" / "two_seeds.png")]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("grid", "--x", "strength=0.6,much"), 1, "strength=0.6,»much«: 'much' is not a number"),
        (("grid", "--x", "strenth=1"), 1, "did you mean strength?"),
        (("grid", "--x", "seed=1-2", "--y", "seed=3"), 1, "two axes seed"),
        (("grid", "--x", "sampler=DDIM Karras"), 1, "has no Karras"),
        (("grid", "nope"), 1, "there is no run called nope"),
        (("grid", "--name", "nope"), 1, "there is no grid nope"),
        (("grid", "--y", "seed=1-2"), 2, "--y needs an --x"),
        (("grid", "--x", "seed=1-2", "-o", "a.jpg"), 2, "written as .png"),
        (("grid", "--x", "seed=1-2", "--cell", "3"), 2, "--cell"),
        (("votes", "nope"), 1, "there is no run called nope"),
        (("votes", "--by", "seed"), 2, "--by"),
    ],
)
def test_wrong_use_is_one_clear_line_and_the_right_status(
    capsys: pytest.CaptureFixture[str], project: Project, arguments: tuple[str, ...], status: int, says: str
) -> None:
    found, out, err = limner(capsys, project.root, *arguments)
    assert (found, out) == (status, "")
    assert says in err
    if status == 1:
        assert err.count("\n") == 1


def test_a_project_without_a_run_is_told_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project = create_project(tmp_path / "p")
    status, _, err = limner(capsys, project.root, "grid")
    assert status == 1
    assert "there is no run to compare" in err
    assert told(capsys, project.root, "grids") == {"grids": []}
    assert told(capsys, project.root, "votes") == {"checkpoints": [], "prompts": []}
