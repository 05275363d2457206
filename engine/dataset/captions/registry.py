"""The captioners there are. To add one: a module, and an entry here, or a package with an entry point."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from engine.dataset.captions.captioner import Captioner, CaptionModel
from engine.dataset.captions.models.server_address import server_address
from engine.errors import DatasetError
from engine.plugins import plugins
from engine.settings import Settings

TEMPLATE = "template"

GROUP = "limner.captioners"
"""The entry points of other packages."""


def _late(module: str) -> Callable[[Settings, Path, Callable[[], bool]], CaptionModel]:
    """The ``load`` of a module of this folder, which is imported only in the job that captions: models are large."""

    def load(settings: Settings, project: Path, should_stop: Callable[[], bool]) -> CaptionModel:
        found: CaptionModel = import_module(f"{__package__}.models.{module}").load(settings, project, should_stop)
        return found

    return load


CAPTIONERS = (
    Captioner(
        TEMPLATE,
        "tags",
        "what is measured and what the library knows",
        load=None,
        source=lambda _settings: "from measurements and the library",
    ),
    Captioner(
        "wd14",
        "tags",
        "a tagger: a folder with model.onnx and selected_tags.csv, or a hub name",
        _late("wd14"),
        "captions.wd14",
        lambda settings: settings.captions.wd14,
    ),
    Captioner(
        "blip",
        "a sentence",
        "a BLIP model: a folder or a hub name",
        _late("blip"),
        "captions.blip",
        lambda settings: settings.captions.blip,
    ),
    Captioner(
        "florence",
        "sentences",
        "a Florence-2 model: a folder or a hub name",
        _late("florence"),
        "captions.florence",
        lambda settings: settings.captions.florence,
    ),
    Captioner(
        "server",
        "sentences",
        "a vision model behind an OpenAI-compatible address, such as Ollama's",
        _late("vision_server"),
        "captions.model",
        lambda settings: settings.captions.url or settings.language_model.url or "set captions.url in limner.toml",
        server=server_address,
    ),
)
"""Limner's own, in the order in which they are offered."""


def captioners() -> dict[str, Captioner]:
    """All captioners by name: Limner's own, then those of installed packages.

    Raises:
        LimnerError: a package's captioner can't be loaded.
    """
    found = {each.name: each for each in CAPTIONERS}
    for added in plugins(GROUP, Captioner):
        found.setdefault(added.name, added)
    return found


def captioner(name: str) -> Captioner:
    """The captioner of this name.

    Raises:
        DatasetError: there is none.
        LimnerError: a package's captioner can't be loaded.
    """
    own = next((each for each in CAPTIONERS if each.name == name), None)
    if own is not None:
        return own
    known = captioners()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise DatasetError(f"there is no captioner {name}", f"use {' or '.join(near) or ', '.join(known)}")
    return known[name]
