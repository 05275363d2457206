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
    assert "1 caption written, 1 left unchanged" in run("caption", "--overwrite").err
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


def test_tags_are_counted_changed_with_a_preview_and_undone(run: Run, scanned: Photos, project: Project) -> None:
    assert "there are no images yet" in run("captions", "tags").failure
    run("faces", "keep", 1, 2)
    run("dataset", "build", "--framing", "close")
    assert run("captions", "set", "0001", "jx265, man, close-up, smile, beach").code == 0
    counts = run("captions", "tags", "--json").record["tags"]
    assert counts == [{"tag": "close-up", "images": 2}, {"tag": "beach", "images": 1}, {"tag": "smile", "images": 1}]
    assert run("captions", "tags").out.splitlines()[1] == "     2  close-up"
    seen = run("captions", "rename", "smile", "smiling", "--dry-run")
    assert "rename smile to smiling: 1 caption would change" in seen.err
    assert "+ jx265, man, close-up, smiling, beach" in seen.out
    assert run("captions", "tags", "--json").record["tags"] == counts
    assert run("captions", "rename", "smile", "smiling").code == 0
    done = run("captions", "add", "outdoors", "--where", "-smiling", "--json").record
    assert [step["after"] for step in done["captions"]] == ["jx265, man, close-up, outdoors"]
    assert "2 captions change" in run("captions", "remove", "close-up").err
    assert "no caption has the tag close-up: list them" in run("captions", "remove", "close-up").failure
    assert "man belongs to every caption" in run("captions", "remove", "man").failure
    assert "undone: remove close-up, 2 captions" in run("captions", "undo").err
    assert run("captions", "undo", "--json").record == {"label": "add outdoors", "images": ["0002.png"], "left": []}
    assert "redone: add outdoors" in run("captions", "redo").err
    listed = [image["caption"] for image in run("dataset", "list", "--json").record["images"]]
    assert listed == ["jx265, man, close-up, smiling, beach", "jx265, man, close-up, outdoors"]
    for _ in range(3):
        run("captions", "undo")
    assert "there is nothing to undo" in run("captions", "undo").failure
    assert "there is no image 0009" in run("captions", "set", "0009", "x").failure
    assert "the caption of 0001.png is empty" in run("captions", "set", "0001", " ").failure


def test_the_rules_of_cleaning_are_shown_switched_and_used(run: Run, scanned: Photos, project: Project) -> None:
    project.change({"captions.rules_on": ["beard"], "captions.drop": ["hat*"]})
    rules = {rule["id"]: rule for rule in run("caption", "--rules", "--json").record["rules"]}
    assert rules["hair"]["on"]
    assert (rules["beard"]["on"], rules["beard"]["default"], rules["glasses"]["on"]) == (True, False, False)
    shown = run("caption", "--rules")
    assert "hair" in shown.out
    assert "captions.drop: hat*" in shown.err
    run("faces", "keep", 1)
    run("dataset", "build", "--framing", "close")
    run("captions", "set", "0001", "close-up, jx265, brown hair, closed eyes, full beard, glasses, hats")
    assert run("captions", "clean").code == 0
    (image,) = run("dataset", "list", "--json").record["images"]
    assert image["caption"] == "jx265, man, close-up, closed eyes, glasses"


def test_a_captioner_that_can_not_be_had_says_what_to_do(run: Run, scanned: Photos) -> None:
    run("faces", "keep", 1)
    run("dataset", "build")
    assert "there is no model at /nowhere" in run("caption", "--with", "wd14", "--model", "/nowhere").failure
    assert "no server of a vision model is set" in run("caption", "--with", "server").failure
    assert run("caption", "--model", "x").code == 2
    assert "there is no image 7" in run("caption", "--image", 7).failure


def test_regularisation_images_are_added_shown_and_off_until_then(run: Run, photos: Photos, project: Project) -> None:
    assert run("dataset", "reg", "--json").record == {"enabled": False, "folders": []}
    assert "Add some with: limner dataset reg DIR" in run("dataset", "reg").err
    added = run("dataset", "reg", photos.originals / "2015", "--json").record
    assert added["enabled"]
    assert [(Path(each["path"]).name, each["images"]) for each in added["folders"]] == [("1_man", 2)]
    assert "1_man" in run("dataset", "reg").out
    assert "there are no images in" in run("dataset", "reg", "nowhere").failure
    assert run("dataset", "reg", photos.originals, "--repeats", 0).code == 2


def test_what_is_missing_before_training_is_listed(run: Run, scanned: Photos, project: Project) -> None:
    run("faces", "keep", 1, 2)
    run("dataset", "build", "--framing", "close")
    (project.dataset / "10_jx265 man" / "0002.txt").unlink()
    missing = run("dataset", "list", "--json").record["missing"]
    assert missing[0] == {"words": "no caption", "images": ["0002"], "stops": True}
    assert "✗ no caption: 0002" in run("dataset", "list").err
    project.change({"base.model": "demo"})
    run("captions", "set", "0001", "jx265, man, " + "x" * 80)
    assert "! more than 75 tokens: 0001" in run("dataset", "list").err
