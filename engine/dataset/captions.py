"""Captions from what is known without looking: trigger word, class word, framing."""

from __future__ import annotations

from engine.dataset.folder import DatasetFolder, write_caption
from engine.dataset.manifest import Entry
from engine.faces.geometry import CLOSE_SHARE, HALF_SHARE
from engine.project import Project
from engine.settings import PersonSettings


def framing_words(face_share: float) -> str:
    """What a crop shows, by the face's height as a share of its side. A crop that the photo's edges kept small is
    named for what it shows, not for what was asked for."""
    if face_share >= CLOSE_SHARE:
        return "close-up"
    return "half body" if face_share >= HALF_SHARE else "full body"


def template_caption(person: PersonSettings, face_share: float | None) -> str:
    """``jx265, man, close-up``: the trigger word first, then the class word, then what the crop shows.

    Args:
        person: the words.
        face_share: the face's height as a share of the image's; None: not known, and then not said.
    """
    shown = [framing_words(face_share)] if face_share is not None else []
    return ", ".join([person.trigger, person.class_word, *shown])


def caption(project: Project, overwrite: bool = False) -> int:
    """Writes template captions.

    Those missing are written, and those that an earlier template wrote are brought up to date. What a person wrote or
    edited stays, unless ``overwrite``.

    Returns:
        How many were written.

    Raises:
        DatasetError: there is no dataset.
    """
    folder = DatasetFolder(project)
    manifest = folder.manifest()
    person = project.settings.person
    entries = {manifest.file_name(entry.number): entry for entry in manifest.entries}
    written = 0
    for image in folder.images():
        entry = entries.get(image.path.name)
        text = template_caption(person, entry.face_share if entry else None)
        if image.caption == text or not (overwrite or _ours(image.caption, entry)):
            continue
        write_caption(image, text)
        written += 1
        if entry is not None:
            manifest = manifest.with_entry(entry.captioned(text))
    folder.save_manifest(manifest)
    return written


def _ours(text: str, entry: Entry | None) -> bool:
    return not text or (entry is not None and text == entry.template)
