"""Whom a project is about, where the photos are, and how the faces are mixed."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from engine.settings.section import Section


class PersonSettings(Section):
    """Whom the project is about."""

    trigger: str = Field("jx265", min_length=1, pattern=r"^[^\s,]+$")
    """The made-up word that comes to mean this person."""
    class_word: str = Field("person", min_length=1)
    """What the person is to the base model: man, woman, person."""
    name: str | None = None
    """The person's name in the library."""
    uid: str | None = None
    """The person's id in the library."""


class LibrarySettings(Section):
    """Where the photos are. Passwords are never written here."""

    url: str | None = None
    """``mysql://user@host:3306/photoprism`` or ``sqlite:///…/index.db``."""
    originals: Path | None = None
    """The folder that PhotoPrism calls originals, as it is seen from this machine."""
    sidecar: Path | None = None
    """PhotoPrism's sidecar folder, as it is seen from this machine."""
    import_folder: Path | None = None
    """PhotoPrism's import folder, as it is seen from this machine."""
    private: bool = False
    """Whether private photos may be used."""


class FacesSettings(Section):
    """The mix of framings that a dataset should have."""

    close: int = Field(12, ge=0, le=1000)
    """How many close-ups."""
    half: int = Field(6, ge=0, le=1000)
    """How many half bodies."""
    full: int = Field(6, ge=0, le=1000)
    """How many full bodies."""
