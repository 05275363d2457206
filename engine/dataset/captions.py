"""Captions from what is known without looking: trigger word, class word, framing, view, light, labels, place."""

from __future__ import annotations

from engine.dataset.folder import DatasetFolder, write_caption
from engine.dataset.known import Known, known_images
from engine.dataset.manifest import Entry
from engine.dataset.parts import led
from engine.dataset.rules import Cleaner
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
    settings = project.settings
    known = known_images(project, manifest)
    entries = {manifest.file_name(entry.number): entry for entry in manifest.entries}
    written = 0
    for image in folder.images():
        entry = entries.get(image.path.name)
        text = template_caption(settings, known.get(image.path.name, Known()))
        if image.caption != text and from_template(image.caption, entry):
            write_caption(image, text)
            written += 1
        if entry is not None and from_template(image.caption, entry):
            manifest = manifest.with_entry(entry.captioned(text))
    folder.save_manifest(manifest)
    return written


def from_template(text: str, entry: Entry | None) -> bool:
    """Whether a caption is missing or the template's own, so that it may be written anew."""
    return not text or (entry is not None and text == entry.template)
