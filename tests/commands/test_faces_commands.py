"""``limner faces``: scanned, listed, shown, decided, taken back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from engine.project import Project
from tests.commands.conftest import Photos, Run


def _decisions(run: Run) -> dict[int, str]:
    return {face["id"]: face["decision"] for face in run("faces", "list", "--json").record["faces"]}


def test_a_scan_ends_with_counts_and_problems(run: Run, connected: Photos, project: Project) -> None:
    done = run("faces", "scan", "--person", "James Café")
    assert done.code == 0, done.err
    assert done.out == ""
    assert "James Café: 5 faces, 4 can be used." in done.err
    assert f"{connected.originals}/2020/gone.jpg: the file is missing" in done.err
    assert project.settings.person.name == "James Café"
    again = run("faces", "scan", "--json").record
    assert (again["faces"], again["usable"]) == (5, 4)
    assert again["problems"] == [
        {"id": 4, "path": f"{connected.originals}/2020/gone.jpg", "problem": "the file is missing"}
    ]


def test_a_scan_for_somebody_unknown_names_who_comes_near(run: Run, connected: Photos) -> None:
    assert (
        "there is nobody in the library called James: did you mean James Café?"
        in run("faces", "scan", "--person", "James").failure
    )
    assert run("faces", "scan").code == 2


def test_faces_are_listed_with_all_that_is_known(run: Run, scanned: Photos) -> None:
    faces = run("faces", "list", "--json").record["faces"]
    assert [face["taken_at"][:4] for face in faces] == ["2015", "2019", "2019", "2020", "2023"]
    turned = faces[1]
    assert turned["path"] == str(scanned.originals / "2019/IMG_1.jpg")
    assert turned["box"] == pytest.approx([182 / 512, 63 / 512, 86 / 512, 111 / 512], abs=1e-6)
    assert (turned["face_px"], turned["person"], turned["confirmed"]) == (111, "James Café", True)
    assert (turned["decision"], turned["problem"], turned["warning"]) == ("undecided", None, None)
    assert faces[2]["path"] == str(scanned.sidecar / "2019/IMG_2.heic.jpg")
    assert faces[2]["confirmed"] is False
    assert faces[3]["problem"] == "the file is missing"


def test_a_filter_needs_no_quotes_and_may_begin_with_a_dash(run: Run, scanned: Photos) -> None:
    def listed(*words: str) -> list[int]:
        return [face["id"] for face in run("faces", "list", *words, "--json").record["faces"]]

    assert listed("is:confirmed -is:broken sort:name") == [1, 2, 5]
    assert listed("is:confirmed", "-is:broken", "--sort", "name") == [1, 2, 5]
    assert listed("-is:matched", "year:2019..2020") == [2, 4]
    assert listed("--sort", "px", "-is:broken") == [1, 2, 3, 5]
    assert listed("heic") == [3]
    assert "“is:kepp” is not understood: did you mean keep?" in run("faces", "list", "is:kepp").failure
    assert run("faces", "list", "--nonsense").code == 2


def test_a_table_tells_the_same_to_people(run: Run, scanned: Photos) -> None:
    done = run("faces", "list")
    assert "2020/gone.jpg" in done.out
    assert "the file is missing" in done.out
    assert "5 faces, 0 kept" in done.err


def test_decisions_are_saved_and_taken_back_one_by_one(run: Run, scanned: Photos) -> None:
    assert run("faces", "keep", 1, 2, "--json").record == {"action": "keep 2 faces", "faces": [1, 2]}
    assert "Saved: reject 3" in run("faces", "reject", 3).err
    assert _decisions(run) == {1: "keep", 2: "keep", 3: "reject", 4: "undecided", 5: "undecided"}
    assert run("faces", "clear", 1).code == 0
    assert _decisions(run)[1] == "undecided"
    for expected in ("Undone: clear 1", "Undone: reject 3", "Undone: keep 2 faces", "Nothing to change."):
        assert expected in run("faces", "undo").err
    assert set(_decisions(run).values()) == {"undecided"}
    assert "Redone: keep 2 faces" in run("faces", "redo").err
    assert _decisions(run)[2] == "keep"
    assert "there is no face 99: list them with: limner faces list" in run("faces", "keep", 1, 99).failure
    assert run("faces", "keep").code == 2
    assert run("faces", "keep", "one").code == 2


def test_a_pick_is_looked_at_before_it_is_made(run: Run, scanned: Photos) -> None:
    looked = run("faces", "pick", "--dry-run")
    assert "1 more would be kept, 1 in total. Nothing was changed." in looked.err
    assert "close-up: confirmed, first of 20" in looked.out
    assert run("faces", "pick", "--dry-run", "--json").record["kept"] == []
    assert set(_decisions(run).values()) == {"undecided"}
    assert "Nothing to change." in run("faces", "undo").err


def test_a_pick_keeps_in_one_action_and_changes_no_decision(run: Run, scanned: Photos) -> None:
    run("faces", "reject", 5)
    picked = run("faces", "pick", "--count", 24, "--json").record
    (face,) = picked["faces"]
    assert face["face"] in (1, 2), "all photos show the same picture: one is chosen, and never the one that is matched"
    assert face["framing"] == "close"
    assert "close-up: confirmed, first of 20" in face["why"]
    assert picked["kept"] == [face["face"]]
    assert _decisions(run) == {1: "undecided", 2: "undecided", 3: "undecided", 4: "undecided", 5: "reject"} | {
        face["face"]: "keep"
    }
    assert "0 more kept, 1 in total" in run("faces", "pick").err
    assert "Undone: pick" in run("faces", "undo").err
    assert _decisions(run) == {1: "undecided", 2: "undecided", 3: "undecided", 4: "undecided", 5: "reject"}


def test_what_was_measured_is_listed_and_selected(run: Run, scanned: Photos) -> None:
    faces = {face["id"]: face for face in run("faces", "list", "--json").record["faces"]}
    assert faces[1]["sharp"] > 12
    assert faces[1]["framings"] == ["close", "half"]
    assert faces[4]["sharp"] is None
    listed = run("faces", "list", "sharp>12", "is:duplicate", "sort:sharp", "--json").record["faces"]
    assert len(listed) == 3
    assert {face["copy_of"] for face in listed} <= {1, 2, 5}
    assert "copy of" in run("faces", "list").out
    measured = run("faces", "measure", "--json").record
    assert (measured["faces"], measured["measured"], measured["duplicate"]) == (5, 4, 3)
    assert "sharp>…" in run("faces", "words").out


def test_a_bulk_decision_shows_its_number_first(run: Run, scanned: Photos) -> None:
    asked = run("faces", "reject", "--where", "is:confirmed -is:broken")
    assert (asked.code, asked.out) == (2, "")
    assert "Reject 3 faces?" in asked.err
    assert "No terminal to ask on. Confirm with --yes." in asked.err
    assert set(_decisions(run).values()) == {"undecided"}
    assert "Saved: reject 3 faces" in run("faces", "reject", "--where", "is:confirmed -is:broken", "--yes").err
    assert _decisions(run) == {1: "reject", 2: "reject", 3: "undecided", 4: "undecided", 5: "reject"}
    assert "Undone: reject 3 faces" in run("faces", "undo").err
    assert run("faces", "reject", 1, "--where", "px>1").code == 2


def test_a_filter_is_saved_under_a_name_and_used(run: Run, scanned: Photos) -> None:
    assert "Saved: @sure" in run("faces", "save", "sure", "is:confirmed", "-is:broken").err
    assert [face["id"] for face in run("faces", "list", "@sure", "year>2015", "--json").record["faces"]] == [2, 5]
    assert run("faces", "filters", "--json").record == {
        "filters": [{"name": "sure", "filter": "is:confirmed -is:broken"}]
    }
    assert "did you mean sure?" in run("faces", "list", "@sur").failure
    assert "“is:kepp” is not understood" in run("faces", "save", "bad", "is:kepp").failure
    assert "Deleted: @sure" in run("faces", "save", "sure", "--forget").err
    assert "there is no filter called sure" in run("faces", "save", "sure", "--forget").failure
    assert run("faces", "save", "sure").code == 2


def test_the_mix_is_shown_against_a_target_that_can_be_set(run: Run, scanned: Photos, project: Project) -> None:
    run("faces", "keep", 1)
    shown = run("faces", "target", "--close", 3, "--full", 0, "--json").record
    assert shown["framings"] == [
        {"framing": "close", "kept": 0, "wanted": 3},
        {"framing": "half", "kept": 1, "wanted": 6},
        {"framing": "full", "kept": 0, "wanted": 0},
    ]
    assert shown["missing"] == ["3 close", "5 half"]
    assert (shown["years"], sum(shown["lights"].values())) == ({"2015": 1}, 1)
    assert project.settings.faces.close == 3
    assert "missing: 3 close, 5 half" in run("faces", "target").err


def test_a_pick_before_a_scan_says_what_to_do(run: Run) -> None:
    assert "there is no face to pick from: scan first" in run("faces", "pick").failure


def test_a_face_is_cut_into_a_file_and_never_over_another(run: Run, scanned: Photos, tmp_path: Path) -> None:
    target = tmp_path / "face.png"
    done = run("faces", "show", 2, "-o", target, "--framing", "box", "--json")
    assert done.record == {"path": str(target), "face": 2, "framing": "box", "px": 111}
    with Image.open(target) as image:
        assert image.size == (111, 111)
    before = target.read_bytes()
    assert "is there already" in run("faces", "show", 2, "-o", target).failure
    assert target.read_bytes() == before
    assert run("faces", "show", 2, "-o", target, "--force").code == 0
    with Image.open(target) as image:
        assert image.size == (264, 264)
    assert run("faces", "show", 2, "-o", tmp_path / "face.jpg").code == 0
    assert "can't be used (the file is missing)" in run("faces", "show", 4, "-o", tmp_path / "x.png").failure
    assert "there is no face 99" in run("faces", "show", 99, "-o", tmp_path / "x.png").failure
    assert "has no supported image extension" in run("faces", "show", 2, "-o", tmp_path / "x.txt").failure
    assert "can't be written" in run("faces", "show", 2, "-o", tmp_path / "no/where.png").failure
    assert not (tmp_path / "x.png").exists()


def test_a_command_in_a_process_of_its_own_says_the_same(scanned: Photos, project: Project) -> None:
    command = [sys.executable, "-m", "tui.cli", "-C", str(project.root), "faces"]
    here = Path(__file__).parents[2]
    good = subprocess.run([*command, "list", "is:broken", "--json"], capture_output=True, text=True, cwd=here)
    assert good.returncode == 0, good.stderr
    assert [face["id"] for face in json.loads(good.stdout)["faces"]] == [4]
    bad = subprocess.run([*command, "keep", "99"], capture_output=True, text=True, cwd=here)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr == "limner: there is no face 99: list them with: limner faces list\n"
