"""An export is read back by the rules of the tools that it is for."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.dataset.export import ExportFormat, export
from engine.dataset.folder import DatasetFolder, write_caption
from engine.errors import DatasetError
from engine.project import Project
from tests.astronaut import astronaut, save

CAPTIONS = {
    "0001.png": "jx265, man, close-up, a {red|blue} shirt",
    "0002.png": "jx265, man, half body, Zürich, 100 % sure",
    "by_hand_at_the_sea.jpg": "jx265, man, by the sea",
}


@pytest.fixture
def built(project: Project) -> Project:
    """Two images of ours, one that somebody added: turned by EXIF, its name full of underscores."""
    folder = DatasetFolder(project).path
    folder.mkdir(parents=True)
    for name, caption in CAPTIONS.items():
        if name.endswith(".jpg"):
            save(folder / name, astronaut(width=400), orientation=6)
        else:
            astronaut().save(folder / name)
        write_caption(folder / name, caption)
    return project


def read_as_sd_scripts(config: Path) -> list[tuple[Path, str, int]]:
    """Image, caption and repeats, as sd-scripts' ``DreamBoothDataset`` reads them."""
    record = tomllib.loads(config.read_text("utf-8"))
    found: list[tuple[Path, str, int]] = []
    for dataset in record["datasets"]:
        for subset in dataset["subsets"]:
            folder = Path(subset["image_dir"])
            for image in sorted(folder.glob("*.png")):
                parts = image.stem.split("_")
                assert len(parts) < 5, "sd-scripts would look for another caption"
                lines = image.with_suffix(subset.get("caption_extension", ".caption")).read_text("utf-8").splitlines()
                assert lines, "sd-scripts stops at an empty caption file"
                caption = lines[0].strip()
                assert not subset["enable_wildcard"], "braces would be a choice"
                found.append((image, caption, subset["num_repeats"]))
    return found


def folder_as_sd_scripts(folder: Path) -> tuple[int, str]:
    """Repeats and class tokens out of a folder's name: ``extract_dreambooth_params`` of sd-scripts."""
    repeats, *tokens = folder.name.split("_")
    return int(repeats), "_".join(tokens)


def test_kohya_s_trainer_reads_it_as_it_is(built: Project, tmp_path: Path) -> None:
    done = export(built, tmp_path / "out", ExportFormat.KOHYA)
    found = read_as_sd_scripts(done.config)
    assert sorted(caption for _, caption, _ in found) == sorted(CAPTIONS.values())
    assert {repeats for _, _, repeats in found} == {10}
    (folder,) = {image.parent for image, _, _ in found}
    assert folder_as_sd_scripts(folder) == (10, "jx265 man")
    settings: dict[str, Any] = tomllib.loads(done.config.read_text("utf-8"))["datasets"][0]
    assert (settings["resolution"], settings["bucket_no_upscale"]) == (1024, True)
    assert settings["subsets"][0]["class_tokens"] == "jx265 man"
    assert (done.images, done.warnings) == (3, ())


def test_an_image_folder_is_read_line_by_line(built: Project, tmp_path: Path) -> None:
    done = export(built, tmp_path / "out", ExportFormat.IMAGEFOLDER)
    rows = [json.loads(line) for line in done.config.read_text("utf-8").splitlines()]
    assert [row["text"] for row in rows] == list(CAPTIONS.values())
    for row in rows:
        with Image.open(done.folder / row["file_name"]) as image:
            assert image.format == "PNG"
    assert sorted(path.name for path in done.folder.glob("*.png")) == sorted(row["file_name"] for row in rows)


def test_a_photo_somebody_added_is_upright_and_bare(built: Project, tmp_path: Path) -> None:
    done = export(built, tmp_path / "out", ExportFormat.KOHYA)
    with Image.open(done.config.parent / "10_jx265 man" / "by-hand-at-the-sea.png") as image:
        assert image.size == (400, 512)
        assert not image.getexif()
        assert not image.info
    ours = DatasetFolder(built).path / "0001.png"
    assert (done.config.parent / "10_jx265 man" / "0001.png").read_bytes() == ours.read_bytes()


def test_an_export_says_what_is_missing_and_never_writes_over_what_is_there(built: Project, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="can't be written"):
        export(built, Path("/proc/nowhere"), ExportFormat.KOHYA)
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="is not empty"):
        export(built, out, ExportFormat.KOHYA)
    assert export(built, out, ExportFormat.KOHYA, force=True).images == 3
    assert (out / "mine.txt").read_text() == "mine"
    (DatasetFolder(built).path / "0002.txt").unlink()
    with pytest.raises(DatasetError, match=r"1 images have no caption \(0002\.png\): write them with: limner caption"):
        export(built, tmp_path / "other", ExportFormat.IMAGEFOLDER)
    assert not (tmp_path / "other").exists()


def test_a_caption_without_the_trigger_is_told(built: Project, tmp_path: Path) -> None:
    write_caption(DatasetFolder(built).path / "0002.png", "somebody")
    assert export(built, tmp_path / "out", ExportFormat.KOHYA).warnings == ("trigger missing in 0002",)


def test_nothing_to_export_says_what_to_do(project: Project, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there are no images yet: make them with: limner dataset build"):
        export(project, tmp_path / "out", ExportFormat.KOHYA)
