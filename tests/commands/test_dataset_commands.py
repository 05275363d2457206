"""``limner dataset`` and ``limner caption``: from kept faces to images with captions."""

from __future__ import annotations

from pathlib import Path

from engine.project import Project
from tests.commands.conftest import Photos, Run


def test_the_dataset_is_built_listed_and_captioned(run: Run, scanned: Photos, project: Project) -> None:
    assert "no face is kept: keep some with: limner faces pick" in run("dataset", "build").failure
    run("faces", "keep", 1, 2, 4)
    done = run("dataset", "build", "--framing", "close", "--json")
    assert done.code == 0, done.err
    record = done.record
    assert record["folder"] == str(project.dataset / "10_jx265 man")
    assert [image["caption"] for image in record["images"]] == ["jx265, man, close-up"] * 2
    assert [(image["face"], image["upscaled"]) for image in record["images"]] == [(1, True), (2, True)]
    assert (record["cut"], record["upscaled"]) == (2, 2)
    assert record["skipped"] == [{"face": 4, "reason": "the file is missing"}]
    assert "face 4 is skipped: the file is missing" in done.err
    listed = run("dataset", "list", "--json").record
    assert listed["images"] == record["images"]
    assert listed["checks"] == ["2 images", "2 captioned", "2 upscaled", "trigger ok"]
    assert "0001.png  264  enlarged  jx265, man, close-up" in run("dataset", "list").out
    (project.dataset / "10_jx265 man" / "0001.txt").write_text("jx265, man, in a space suit\n")
    assert run("caption", "--json").record["written"] == 0
    assert "1 caption written, 1 left as they were" in run("caption", "--overwrite").err
    assert run("dataset", "build", "--framing", "half").code == 0
    captions = [image["caption"] for image in run("dataset", "list", "--json").record["images"]]
    assert captions == ["jx265, man, half body"] * 2
    assert run("dataset", "build", "--framing", "portrait").code == 2
    assert run("caption", "--with", "magic").code == 2


def test_an_empty_dataset_says_what_to_do(run: Run) -> None:
    assert "no face is kept: scan first" in run("dataset", "build").failure
    assert "there are no images yet: make them with: limner dataset build" in run("caption").failure
    empty = run("dataset", "list")
    assert (empty.code, empty.out) == (0, "")
    assert "There are no images yet" in empty.err


def test_the_dataset_is_exported_for_other_trainers(
    run: Run, scanned: Photos, project: Project, tmp_path: Path
) -> None:
    assert "there are no images yet" in run("export", tmp_path / "out").failure
    run("faces", "keep", 1, 2)
    run("dataset", "build")
    done = run("export", tmp_path / "out", "--json")
    assert done.record["config"] == str(tmp_path / "out" / "dataset.toml")
    assert (done.record["images"], done.record["warnings"]) == (2, [])
    assert "is not empty" in run("export", tmp_path / "out").failure
    told = run("export", tmp_path / "hub", "--format", "imagefolder")
    assert "2 images in" in told.err
    assert (tmp_path / "hub" / "metadata.jsonl").exists()
    assert run("export", tmp_path / "x", "--format", "zip").code == 2
