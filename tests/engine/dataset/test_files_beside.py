"""What lies beside the training images is used for what it is, or named with the reason why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.dataset.captions.job import write_captions
from engine.dataset.captions.journal import CaptionJournal
from engine.dataset.export import ExportFormat, export
from engine.dataset.files.file_roles import unused_in
from engine.dataset.files.layout import DatasetFolder
from engine.dataset.regularisation import add_regularisation, passed_over, regularisation_folders
from engine.errors import DatasetError
from engine.project import Project
from engine.training.data.examples import read_examples
from engine.training.data.images import fit
from tests.support.astronaut import astronaut, save
from tests.support.rows import usual


def folder(project: Project) -> Path:
    return DatasetFolder(project).path


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    astronaut().save(path)


def masked(image: Path) -> Path:
    """OneTrainer's mask: the left half counts."""
    mask = Image.new("L", (512, 512), 0)
    mask.paste(255, (0, 0, 256, 512))
    path = image.with_name(f"{image.stem}-masklabel.png")
    mask.save(path)
    return path


def test_a_mask_beside_an_image_is_no_portrait_and_is_used_as_a_mask(built: Project, tmp_path: Path) -> None:
    masked(folder(built) / "0001.png")
    assert [image.path.name for image in DatasetFolder(built).images()] == ["0001.png", "0002.png", "0003.png"]
    assert len(read_examples(built)) == 3
    write_captions(built, "template", overwrite=True)
    assert not (folder(built) / "0001-masklabel.txt").exists()
    alpha = fit(folder(built) / "0001.png", (64, 64)).alpha
    assert alpha is not None
    assert (np.asarray(alpha)[:, :30].min(), np.asarray(alpha)[:, 34:].max()) == (255, 0)
    assert fit(folder(built) / "0002.png", (64, 64)).alpha is None
    done = export(built, tmp_path / "out", ExportFormat.KOHYA)
    assert done.images == 3
    assert "1 mask is left out: neither format supports them" in done.warnings
    assert len(list((done.folder / folder(built).name).glob("*.png"))) == 3


def test_a_mask_without_an_image_is_a_picture_like_any_other(built: Project) -> None:
    save(folder(built) / "hat-masklabel.png")
    assert "hat-masklabel.png" in [image.path.name for image in DatasetFolder(built).images()]


@pytest.mark.parametrize("suffix", usual([".avif", ".BMP", ".bmp", ".webp"], 2))
def test_images_of_all_formats_that_trainers_read_are_used(built: Project, tmp_path: Path, suffix: str) -> None:
    put(folder(built) / f"own{suffix}")
    (folder(built) / "own.txt").write_text("jx265, man, own")
    assert [image.caption for image in DatasetFolder(built).images()][-1] == "jx265, man, own"
    assert read_examples(built)[-1].size() == (512, 512)
    assert export(built, tmp_path / "out", ExportFormat.IMAGEFOLDER).images == 4


def test_a_caption_file_is_read_and_written_where_there_is_no_text_file(built: Project) -> None:
    save(folder(built) / "own.png")
    (folder(built) / "own.caption").write_bytes(b"jx265, man, own\r\n")
    with built.store() as store:
        journal = CaptionJournal(store, DatasetFolder(built))
        journal.write({"own.png": "jx265, man, changed"}, "edit")
        assert (folder(built) / "own.caption").read_bytes() == b"jx265, man, changed\r\n"
        journal.undo()
    assert (folder(built) / "own.caption").read_bytes() == b"jx265, man, own\r\n"
    assert not (folder(built) / "own.txt").exists()
    assert [image.caption for image in DatasetFolder(built).images()][-1] == "jx265, man, own"


def test_what_is_not_used_is_named_with_the_reason(built: Project) -> None:
    place = folder(built)
    (place / "0001.caption").write_text("another")
    (place / "0099.txt").write_text("nobody's")
    (place / "a.gif").write_bytes(b"GIF89a")
    (place / "notes.md").write_text("notes")
    (place / "more").mkdir()
    (place / ".hidden").write_text("")
    masked(place / "0002.png")
    assert unused_in(place) == [
        ("0001.caption", "0001.txt is read"),
        ("0099.txt", "no image of that name"),
        ("a.gif", "not a format that trainers read"),
        ("more/", "a folder inside"),
        ("notes.md", "not a format that trainers read"),
    ]
    assert DatasetFolder(built).checks()[-1].startswith("not used: 0001.caption (0001.txt is read), 0099.txt (no image")


def test_regularisation_takes_every_folder_and_format_and_tells_the_rest(built: Project, tmp_path: Path) -> None:
    others = tmp_path / "others"
    for name in ("a.jpg", "b/c.bmp", "b/d/e.tif", "f.webp", "g.avif"):
        put(others / name)
    (others / "b/c.txt").write_text("a man in a field")
    masked(others / "a.jpg")
    for name in ("notes.md", "b/raw.cr2"):
        (others / name).write_bytes(b"x")
    into, count = add_regularisation(built, others)
    assert count == 5
    assert sorted(each.name for each in into.glob("*.png")) == [f"000{n}.png" for n in range(1, 6)]
    assert [each.read_text() for each in into.glob("*.txt")] == ["a man in a field\n"]
    assert passed_over(others) == ["notes.md", "b/raw.cr2"]
    assert len(regularisation_folders(built)[0].images) == 5
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError, match="there are no images in"):
        add_regularisation(built, tmp_path / "none")
