"""How captions are written and cleaned."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from engine.settings.section import Section


class Told(StrEnum):
    """What a template caption says, each where it is known."""

    FRAMING = "framing"
    VIEW = "view"
    LIGHT = "light"
    LABELS = "labels"
    """The library's own labels of the photo."""
    PLACE = "place"
    YEAR = "year"


class CleanUp(StrEnum):
    """The rules that clean what a captioner says of a real person; their words are in
    ``engine.dataset.captions.cleanup_rules``."""

    EYES = "eyes"
    HAIR = "hair"
    SKIN = "skin"
    FACE = "face"
    BODY = "body"
    AGE = "age"
    PEOPLE = "people"
    CAMERA = "camera"
    BACKGROUND = "background"
    FRAMING = "framing"
    PHOTO = "photo"
    BRACKETS = "brackets"
    HAIRSTYLE = "hairstyle"
    BEARD = "beard"
    GLASSES = "glasses"
    MAKEUP = "makeup"


class FlorenceTask(StrEnum):
    """How much Florence-2 says."""

    SHORT = "short"
    DETAILED = "detailed"
    MORE = "more"


class CaptionsSettings(Section):
    """How captions are written and cleaned."""

    words: ClassVar[frozenset[str]] = frozenset({"drop", "keep", "replace"})
    names: ClassVar[frozenset[str]] = frozenset({"model"})

    template: tuple[Told, ...] = (Told.FRAMING, Told.VIEW, Told.LIGHT, Told.LABELS, Told.PLACE)
    """What a template caption says. Framing and view are also put before a model's caption."""
    wd14: str = "SmilingWolf/wd-vit-tagger-v3"
    """A folder with ``model.onnx`` and ``selected_tags.csv``, or a hub name."""
    threshold: float = Field(0.35, ge=0, le=1)
    """How sure a tagger must be of a tag."""
    mcut: bool = False
    """Cut at the largest gap between the tags' probabilities instead of at the threshold."""
    blip: str = "Salesforce/blip-image-captioning-large"
    """A folder or a hub name."""
    florence: str = "florence-community/Florence-2-base"
    """A folder or a hub name, of transformers' own Florence-2."""
    florence_task: FlorenceTask = FlorenceTask.DETAILED
    """How detailed Florence-2's captions are."""
    url: str | None = None
    """The vision model's server; left out: ``language_model.url``. Keys are never written here."""
    model: str | None = None
    """The vision model's name there; left out: the first that the server has."""
    rules_off: tuple[CleanUp, ...] = ()
    """Clean-up rules to switch off that are on by default."""
    rules_on: tuple[CleanUp, ...] = ()
    """Clean-up rules to switch on that are off by default."""
    drop: tuple[str, ...] = ()
    """Your own tags to drop; ``*`` matches anything."""
    keep: tuple[str, ...] = ()
    """Tags that no rule may drop; ``*`` matches anything."""
    replace: dict[str, str] = Field(default_factory=dict)
    """Your own replacements: a captioner's tag to the one to write."""
