"""What a captioner is: its name, what it needs, and the model that it loads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from PIL import Image

from engine.dataset.captions.cleanup_rules import DOUBTFUL, Cleaner
from engine.dataset.captions.parts import parts_of_prose
from engine.errors import DatasetError
from engine.settings import Settings


class NoCaption(DatasetError):
    """A model looked at a picture and wrote no caption."""


@dataclass(frozen=True)
class Caption:
    """What a model says about one image."""

    parts: tuple[str, ...]
    """Tags or short phrases, cleaned."""
    doubts: tuple[str, ...] = ()
    """Why the image may be unfit for training: a second person, sunglasses."""


class CaptionModel(Protocol):
    """A loaded model that captions images."""

    def caption(self, image: Image.Image) -> Caption:
        """The caption of an upright RGB picture.

        Raises:
            NoCaption: the model wrote none for this picture; the next one is tried.
            LimnerError: it can't go on.
        """
        ...


@dataclass(frozen=True)
class Captioner:
    """A way to write captions, as the command line and the screen offer it."""

    name: str
    """As in ``limner caption --with NAME``."""
    writes: str
    """``tags``, ``a sentence``, ``sentences``."""
    summary: str
    """One line for the help."""
    load: Callable[[Settings, Path, Callable[[], bool]], CaptionModel] | None
    """Loads the model, in the job's process. Gets the settings, the project's folder, and what says whether to stop.
    None: captions come from what is measured, without a model."""
    model_setting: str | None = None
    """The setting that names its model, such as ``captions.wd14``; ``--model`` changes it for one call."""
    source: Callable[[Settings], str] = field(default=lambda _settings: "")
    """What it captions with under these settings, for the screen: a model's name, a server's address."""
    server: Callable[[Settings], str] | None = None
    """The server that it sends pictures to, whose address has to be confirmed; None: it sends nothing."""


class TagCaptions:
    """Captions from a tagger's tags.

    Args:
        tags: the tags of an upright RGB picture, the likeliest first.
        settings: the rules that clean them.
    """

    def __init__(self, tags: Callable[[Image.Image], list[str]], settings: Settings) -> None:
        self._tags = tags
        self._cleaner = Cleaner(settings.captions)

    def caption(self, image: Image.Image) -> Caption:
        """Cleaned tags; tags such as ``sunglasses`` are doubts too."""
        tags = self._tags(image)
        return Caption(tuple(self._cleaner.parts(tags)), tuple(tag for tag in tags if DOUBTFUL.fullmatch(tag)))


class ProseCaptions:
    """Captions from a model's sentences.

    Args:
        text: the sentences about an upright RGB picture.
        settings: the rules that clean them, and the person whose words are left out.
    """

    def __init__(self, text: Callable[[Image.Image], str], settings: Settings) -> None:
        self._text = text
        self._cleaner = Cleaner(settings.captions)
        self._person = settings.person

    def caption(self, image: Image.Image) -> Caption:
        """The sentences, cleaned and cut into short phrases."""
        text = self._cleaner.sentence(self._text(image))
        return Caption(tuple(self._cleaner.parts(parts_of_prose(text, self._person))))
