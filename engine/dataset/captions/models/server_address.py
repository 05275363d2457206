"""The address of the vision model's server."""

from __future__ import annotations

from engine.errors import DatasetError
from engine.settings import Settings


def server_address(settings: Settings) -> str:
    """The vision model's server: the captions' own, else the language model's.

    Raises:
        DatasetError: none is set.
    """
    url = settings.captions.url or settings.language_model.url
    if not url:
        what, example = "no server of a vision model is set", "http://127.0.0.1:11434/v1"
        raise DatasetError(what, f"set captions.url in limner.toml, for example {example}")
    return url
