"""Whom a project is about, where the photos are, and how the faces are mixed."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from engine.settings.section import Section

CONTAINER_ORIGINALS = "/photoprism/originals/"
"""Where PhotoPrism's container has its originals."""


class PersonSettings(Section):
    """Whom the project is about."""

    words: ClassVar[frozenset[str]] = frozenset({"trigger", "class_word", "name", "uid"})

    trigger: str = Field("jx265", min_length=1, pattern=r"^[^\s,]+$")
    """The made-up word that will stand for this person."""
    class_word: str = Field("person", min_length=1)
    """The person's class, a word that the base model knows: man, woman, person."""
    name: str | None = None
    """The person's name in the library."""
    uid: str | None = None
    """The person's id in the library."""


class LibrarySettings(Section):
    """Where the photos are. Passwords are never written here."""

    url: str | None = None
    """``mysql://user@host:3306/photoprism``, ``sqlite:///…/index.db``, ``https://…`` for PhotoPrism's web interface,
    ``immich+https://…``, or ``folder:///…`` where there is no index."""
    originals: Path | None = None
    """PhotoPrism's originals folder, as seen from this machine."""
    sidecar: Path | None = None
    """PhotoPrism's sidecar folder, as seen from this machine."""
    import_folder: Path | None = None
    """PhotoPrism's import folder, as seen from this machine."""
    mounts: dict[str, Path] = Field(default_factory=dict)
    """Folders mounted below PhotoPrism's originals: path there = folder here."""
    private: bool = False
    """Whether private photos may be used; in Immich, archived ones and hidden people."""

    @field_validator("mounts")
    @classmethod
    def _below_originals(cls, mounts: dict[str, Path]) -> dict[str, Path]:
        """A place is relative to originals; as PhotoPrism's compose file has it, it may begin with the container's."""
        places = {place.strip().removeprefix(CONTAINER_ORIGINALS).strip("/"): path for place, path in mounts.items()}
        for place in places:
            if not place or ".." in place.split("/"):
                raise ValueError("name a folder below originals, such as family/2019")
        return places


class FacesSettings(Section):
    """The mix of framings that a dataset should have."""

    close: int = Field(12, ge=0, le=1000)
    """How many close-ups."""
    half: int = Field(6, ge=0, le=1000)
    """How many half bodies."""
    full: int = Field(6, ge=0, le=1000)
    """How many full bodies."""
