"""Captions from what is known without looking: trigger word, class word, framing, view, light, labels, place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from engine.dataset.captions.cleanup_rules import Cleaner
from engine.dataset.captions.image_facts import Known, known_images
from engine.dataset.captions.journal import CaptionJournal
from engine.dataset.captions.parts import led
from engine.dataset.files.caption_file import read_bytes
from engine.dataset.files.hand_edits import caption_is_somebodys, captions_of_limner, hash_of
from engine.dataset.files.layout import DatasetFolder, TrainingImage, write_caption
from engine.dataset.files.manifest import Entry
from engine.project import Project
from engine.settings import Settings, Told

MEASURED = (Told.FRAMING, Told.VIEW, Told.LIGHT)
"""What is measured on the picture and no opinion of anybody's: no rule takes it out."""


def template_caption(settings: Settings, known: Known) -> str:
    """``jx265, man, close-up, three-quarter view``: the trigger word first, then the class word, then what is known of
    the image, in the order of ``captions.template``. The library's labels are cleaned like a tagger's."""
    cleaner = Cleaner(settings.captions)
    found: list[str] = []
    for told in settings.captions.template:
        words = known.words((told,))
        found += words if told in MEASURED else cleaner.parts(words)
    return led(settings.person, found)


def caption(project: Project) -> int:
    """Writes template captions where there are none, and brings those up to date that an earlier template wrote.
    What a person or a model wrote stays.

    Returns:
        How many were written.

    Raises:
        DatasetError: the dataset can't be read or written.
    """
    folder = DatasetFolder(project)
    manifest = folder.manifest()
    entries = {manifest.file_name(entry.number): entry for entry in manifest.entries}
    written = 0
    for image, text in _templates(project, folder):
        entry = entries.get(image.path.name)
        if not from_template(image.caption, entry):
            continue
        if image.caption != text:
            write_caption(image, text)
            written += 1
        if entry is not None:
            manifest = manifest.with_entry(replace(entry.captioned(text), caption_hash=_hash(image.path)))
    folder.save_manifest(manifest)
    return written


def written_elsewhere(project: Project) -> dict[str, str]:
    """The captions that somebody wrote into the files by other means than Limner: the images' names, and what the
    template would write. Raises DatasetError as ``caption``."""
    folder = DatasetFolder(project)
    manifest = folder.manifest()
    entries = {manifest.file_name(entry.number): entry for entry in manifest.entries}
    with project.store() as store:
        ours = captions_of_limner(store)
    return {
        image.path.name: text
        for image, text in _templates(project, folder)
        if (entry := entries.get(image.path.name)) is not None
        and not from_template(image.caption, entry)
        and caption_is_somebodys(image.path, entry, ours.get(image.path.name, ()))
    }


def overwrite_captions(project: Project, captions: Mapping[str, str]) -> None:
    """Replaces captions by the template's, by image name, as one action of the journal, which an undo takes back.
    Raises DatasetError as ``caption``."""
    folder = DatasetFolder(project)
    with project.store() as store:
        CaptionJournal(store, folder).write(captions, "overwrite captions")
    manifest = folder.manifest()
    for entry in manifest.entries:
        name = manifest.file_name(entry.number)
        if name in captions:
            written = replace(entry.captioned(captions[name]), caption_hash=_hash(folder.path / name))
            manifest = manifest.with_entry(written)
    folder.save_manifest(manifest)


def _templates(project: Project, folder: DatasetFolder) -> Iterator[tuple[TrainingImage, str]]:
    """Every image with what the template says of it."""
    known, settings = known_images(project, folder.manifest()), project.settings
    for image in folder.images():
        yield image, template_caption(settings, known.get(image.path.name, Known()))


def _hash(image: Path) -> str:
    return hash_of(read_bytes(image) or b"")


def from_template(text: str, entry: Entry | None) -> bool:
    """Whether a caption is missing or the template's own, so that it may be written anew."""
    return not text or (entry is not None and text == entry.template)
