"""Exporting the dataset for other trainers: kohya's folders with a ``dataset.toml``, or the hub's image folder."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import tomlkit

from engine.counting import many
from engine.dataset.files.file_roles import mask_of_image
from engine.dataset.files.layout import SUFFIXES, DatasetFolder, TrainingImage, folder_name, read_caption
from engine.dataset.readiness import caption_findings
from engine.dataset.regularisation import RegularisationFolder, regularisation_folders
from engine.errors import DatasetError, LimnerError
from engine.faces.photo.loading import open_header, open_upright
from engine.project import Project
from engine.settings import Settings
from engine.storage.atomic_files import write_text


class ExportFormat(StrEnum):
    """Who is to read it."""

    KOHYA = "kohya"
    """kohya's sd-scripts: ``10_jx265 man/0001.png`` with ``0001.txt``; ``dataset.toml`` for ``--dataset_config``."""
    IMAGEFOLDER = "imagefolder"
    """Hugging Face's ``imagefolder``: images beside a ``metadata.jsonl`` with ``file_name`` and ``text``."""


@dataclass(frozen=True)
class Exported:
    """What an export wrote."""

    folder: Path
    config: Path
    """The file that names or describes the images: ``dataset.toml`` or ``metadata.jsonl``."""
    images: int
    warnings: tuple[str, ...]


CAPTION_EXTENSIONS = (".txt", ".caption")
"""What sd-scripts may be told to look for; the second is what it looks for when it is told nothing."""


def export(
    project: Project, to: Path, format: ExportFormat, force: bool = False, caption_extension: str = ".txt"
) -> Exported:
    """Writes the dataset into a folder of its own. The project's dataset stays as it is.

    Every image has a caption of one line; a photo that somebody added is turned upright and loses its metadata, since
    trainers don't look at EXIF; names have no underscores, since sd-scripts gives them a meaning.

    Args:
        project: the project, its dataset built.
        to: the folder; made where it is missing.
        format: who is to read it.
        force: write also into a folder that holds something; files of the same name are replaced.
        caption_extension: of kohya's caption files, one of ``CAPTION_EXTENSIONS``.

    Raises:
        DatasetError: there are no images, one has no caption or can't be read, or the folder can't be written.
    """
    dataset = DatasetFolder(project)
    images = dataset.images()
    if not images:
        raise DatasetError("there are no images yet", "make them with: limner dataset build")
    bare = [image.path.name for image in images if not image.caption]
    if bare:
        some = ", ".join(bare[:3]) + (" …" if len(bare) > 3 else "")
        raise DatasetError(f"without a caption: {many(len(bare), 'image')} ({some})", "write them with: limner caption")
    to = to.resolve()
    try:
        to.mkdir(parents=True, exist_ok=True)
        if not force and any(to.iterdir()):
            raise DatasetError(f"{to} is not empty", "choose another folder, or write into it with --force")
        others = regularisation_folders(project) if project.settings.training.regularisation else []
        if format is ExportFormat.KOHYA:
            config = _kohya(images, others, to, project.settings, caption_extension)
        else:
            config = _imagefolder(images, to)
    except OSError as error:
        raise DatasetError(f"{to} can't be written ({error.strerror or error})", "choose another folder") from error
    told = [finding.line for finding in caption_findings(images, project.settings)]
    folder = to / folder_name(project.settings) if format is ExportFormat.KOHYA else to
    if left := _left_from_before(folder, len(images)):
        told.append(f"{folder} also holds images of other datasets, left unchanged: {left}")
    if masks := sum(mask_of_image(image.path) is not None for image in images):
        told.append(f"{masks} mask{'s are' if masks > 1 else ' is'} left out: neither format supports them")
    if others and format is ExportFormat.IMAGEFOLDER:
        told.append("regularisation images are left out: an image folder can't hold them")
    return Exported(to, config, len(images), tuple(told))


def _kohya(
    images: Sequence[TrainingImage],
    others: Sequence[RegularisationFolder],
    to: Path,
    settings: Settings,
    extension: str,
) -> Path:
    """Layout: sd-scripts ``library/config_util.py``; the options: its ``docs/config_README-en.md``."""
    folder = to / folder_name(settings)
    _write_folder(folder, [(image.path, image.caption) for image in images], extension)
    side = settings.training.resolution or 1024
    words = f"{settings.person.trigger} {settings.person.class_word}"
    subsets = [_subset(folder, settings.training.repeats, words, extension)]
    for each in others:
        folder = to / "reg" / each.path.name
        _write_folder(folder, [(path, read_caption(path)) for path in each.images], extension)
        subsets.append({**_subset(folder, each.repeats, each.class_words, extension), "is_reg": True})
    record = {
        "datasets": [
            {
                "resolution": side,
                "batch_size": settings.training.batch_size,
                "enable_bucket": True,
                "bucket_no_upscale": True,
                "subsets": subsets,
            }
        ]
    }
    path = to / "dataset.toml"
    write_text(path, f"# Where this folder is copied to another machine, image_dir changes.\n{tomlkit.dumps(record)}")
    return path


def _left_from_before(folder: Path, images: int) -> int:
    """How many images lie beside those that were written: an earlier export's, say, of faces that are rejected now."""
    return sum(each.suffix.lower() in SUFFIXES for each in folder.iterdir()) - images


def _write_folder(folder: Path, images: Sequence[tuple[Path, str]], extension: str) -> None:
    """Images with their captions; one without gets no file, for sd-scripts then takes ``class_tokens``, and stops at
    an empty one."""
    folder.mkdir(parents=True, exist_ok=True)
    for (path, caption), name in zip(images, _names([path for path, _ in images]), strict=True):
        _put(path, folder / f"{name}.png")
        if caption:
            write_text(folder / f"{name}{extension}", caption + "\n")


def _subset(folder: Path, repeats: int, words: str, extension: str) -> dict[str, object]:
    return {
        "image_dir": str(folder),
        "num_repeats": repeats,
        "class_tokens": words,
        # The trigger and the class word stay first, should the rest be shuffled.
        "keep_tokens": 2,
        # Left out, sd-scripts would look for ``.caption`` files, and read ``{a|b}`` in a caption as a choice.
        "caption_extension": extension,
        "enable_wildcard": False,
    }


def _imagefolder(images: Sequence[TrainingImage], to: Path) -> Path:
    """Layout: https://huggingface.co/docs/datasets/image_dataset#imagefolder."""
    lines = []
    for image, name in zip(images, _names([each.path for each in images]), strict=True):
        _put(image.path, to / f"{name}.png")
        lines.append(json.dumps({"file_name": f"{name}.png", "text": image.caption}, ensure_ascii=False))
    path = to / "metadata.jsonl"
    write_text(path, "\n".join(lines) + "\n")
    return path


def _names(images: Sequence[Path]) -> list[str]:
    """A name for each image: its own, without underscores and without another's."""
    names: list[str] = []
    for image in images:
        name = re.sub(r"[^\w.-]+|_+", "-", image.stem).strip("-.") or "image"
        number = 2
        candidate = name
        while candidate.casefold() in {each.casefold() for each in names}:
            candidate, number = f"{name}-{number}", number + 1
        names.append(candidate)
    return names


def _put(image: Path, at: Path) -> None:
    """An image as it is where it is one of ours, else upright and bare; written beside its place, then moved there."""
    beside = at.with_name(f".{at.name}.{os.getpid()}.part")
    try:
        _writer(image)(beside)
        os.replace(beside, at)
    finally:
        beside.unlink(missing_ok=True)


def _writer(image: Path) -> Callable[[Path], object]:
    try:
        with open_header(image) as found:
            plain = found.format == "PNG" and found.mode == "RGB" and not found.getexif() and not found.info
        if plain:
            return lambda beside: shutil.copyfile(image, beside)
        picture = open_upright(image)
    except LimnerError as error:
        raise DatasetError(error.what, "take it out of the dataset, or build again") from error
    return lambda beside: picture.save(beside, format="PNG", compress_level=3)
