"""An export is read back by the rules of the tools that it is for."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.dataset.export import ExportFormat, export
from engine.dataset.files.layout import DatasetFolder, write_caption
from engine.dataset.regularisation import add_regularisation
from engine.errors import DatasetError
from engine.project import Project
from engine.training.data.examples import read_examples
from tests.support.astronaut import astronaut, save

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


def read_as_sd_scripts(config: Path, regularisation: bool = False) -> list[tuple[Path, str, int]]:
    """Image, caption and repeats, as sd-scripts' ``DreamBoothDataset`` reads them, of the person or of the others."""
    record = tomllib.loads(config.read_text("utf-8"))
    found: list[tuple[Path, str, int]] = []
    for dataset in record["datasets"]:
        for subset in dataset["subsets"]:
            if subset.get("is_reg", False) != regularisation:
                continue
            folder = Path(subset["image_dir"])
            for image in sorted(folder.glob("*.png")):
                parts = image.stem.split("_")
                assert len(parts) < 5, "sd-scripts would look for another caption"
                file = image.with_suffix(subset.get("caption_extension", ".caption"))
                lines = file.read_text("utf-8").splitlines() if file.exists() else [subset["class_tokens"]]
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


def test_an_export_tells_what_is_missing_and_overwrites_nothing(built: Project, tmp_path: Path) -> None:
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
    with pytest.raises(DatasetError, match=r"without a caption: 1 image \(0002\.png\): write them with"):
        export(built, tmp_path / "other", ExportFormat.IMAGEFOLDER)
    assert not (tmp_path / "other").exists()


def test_captions_without_the_trigger_first_and_once_are_told(built: Project, tmp_path: Path) -> None:
    write_caption(DatasetFolder(built).path / "0002.png", "some man")
    assert export(built, tmp_path / "out", ExportFormat.KOHYA).warnings == ("jx265 missing: 0002",)
    write_caption(DatasetFolder(built).path / "0002.png", "jx265, man, a shirt that says jx265")
    assert export(built, tmp_path / "twice", ExportFormat.IMAGEFOLDER).warnings == ("jx265 twice: 0002",)
    write_caption(DatasetFolder(built).path / "0002.png", "a man, jx265")
    assert export(built, tmp_path / "late", ExportFormat.KOHYA).warnings == ("jx265 not first: 0002",)


@pytest.mark.parametrize("form", list(ExportFormat))
def test_images_of_an_earlier_export_are_told_and_left_alone(
    built: Project, tmp_path: Path, form: ExportFormat
) -> None:
    first = export(built, tmp_path / "out", form)
    assert first.warnings == ()
    (DatasetFolder(built).path / "0002.png").unlink()
    (told,) = export(built, tmp_path / "out", form, force=True).warnings
    name = "out" if form is ExportFormat.IMAGEFOLDER else "man"
    assert told.endswith(f"{name} also holds images of other datasets, left unchanged: 1")
    assert len(list((tmp_path / "out").rglob("0002.png"))) == 1


def test_nothing_to_export_says_what_to_do(project: Project, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there are no images yet: make them with: limner dataset build"):
        export(project, tmp_path / "out", ExportFormat.KOHYA)


def test_caption_files_are_named_as_sd_scripts_looks_for_by_default(built: Project, tmp_path: Path) -> None:
    done = export(built, tmp_path / "out", ExportFormat.KOHYA, caption_extension=".caption")
    folder = done.config.parent / "10_jx265 man"
    assert sorted(path.suffix for path in folder.iterdir()) == [".caption"] * 3 + [".png"] * 3
    assert sorted(caption for _, caption, _ in read_as_sd_scripts(done.config)) == sorted(CAPTIONS.values())


def test_words_with_underscores_do_not_change_the_repeats(built: Project, tmp_path: Path) -> None:
    built.change({"person.trigger": "jx_265", "training.repeats": 3})
    done = export(built, tmp_path / "out", ExportFormat.KOHYA)
    (folder,) = {image.parent for image, _, _ in read_as_sd_scripts(done.config)}
    assert folder_as_sd_scripts(folder) == (3, "jx_265 man")
    assert {repeats for _, _, repeats in read_as_sd_scripts(done.config)} == {3}


class TestRegularisation:
    @pytest.fixture
    def others(self, tmp_path: Path) -> Path:
        """Two pictures of others: one turned and with a caption, one without."""
        folder = tmp_path / "others"
        save(folder / "some_body_with_a_hat.jpg", astronaut(width=400), orientation=6)
        write_caption(folder / "some_body_with_a_hat.jpg", "man, hat")
        save(folder / "b.png", astronaut())
        (folder / "notes.txt").write_text("mine")
        return folder

    def test_they_lie_in_a_folder_of_their_own_and_are_marked_for_sd_scripts(
        self, built: Project, others: Path, tmp_path: Path
    ) -> None:
        assert read_as_sd_scripts(export(built, tmp_path / "none", ExportFormat.KOHYA).config, True) == []
        folder, count = add_regularisation(built, others)
        assert (folder, count) == (built.root / "reg" / "1_man", 2)
        assert sorted(path.name for path in folder.iterdir()) == ["0001.png", "0002.png", "0002.txt"]
        with Image.open(folder / "0002.png") as image:
            assert (image.size, dict(image.getexif())) == ((400, 512), {})
        assert add_regularisation(built, others)[1] == 2
        done = export(built, tmp_path / "out", ExportFormat.KOHYA)
        found = read_as_sd_scripts(done.config, True)
        assert [(caption, repeats) for _, caption, repeats in found] == [("man", 1), ("man, hat", 1)] * 2
        assert {folder_as_sd_scripts(image.parent) for image, _, _ in found} == {(1, "man")}
        assert len(read_as_sd_scripts(done.config)) == 3, "the person's are the person's"

    def test_the_trainer_of_limner_sees_the_same(self, built: Project, others: Path) -> None:
        add_regularisation(built, others, repeats=2)
        seen = [each for each in read_examples(built) if each.regularisation]
        assert [(each.image.parent.name, each.caption, each.repeats) for each in seen] == [
            ("2_man", "man", 2),
            ("2_man", "man, hat", 2),
        ]

    def test_switched_off_they_stay_at_home(self, built: Project, others: Path, tmp_path: Path) -> None:
        add_regularisation(built, others)
        told = export(built, tmp_path / "hub", ExportFormat.IMAGEFOLDER).warnings
        assert told == ("regularisation images are left out: an image folder can't hold them",)
        built.change({"training.regularisation": False})
        assert read_as_sd_scripts(export(built, tmp_path / "out", ExportFormat.KOHYA).config, True) == []
        assert export(built, tmp_path / "hub2", ExportFormat.IMAGEFOLDER).warnings == ()

    def test_what_can_not_be_used_is_told(self, built: Project, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="there are no images in"):
            add_regularisation(built, tmp_path / "nowhere")
        (tmp_path / "broken").mkdir()
        (tmp_path / "broken" / "a.png").write_bytes(b"no picture")
        with pytest.raises(DatasetError, match=r"a\.png: .*: take it out of the folder"):
            add_regularisation(built, tmp_path / "broken")
