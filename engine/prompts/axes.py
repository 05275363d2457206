"""What a prompt is varied in: place, light, clothes, lens, expression, framing. One list of words each.

The lists are files of wildcards, so ``__place__`` in a template takes from the same; the user's own lie in their data
folder and add to them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

import platformdirs

from engine.errors import PromptError
from engine.storage.untrusted_files import read_text

NAMES = ("place", "light", "clothes", "lens", "expression", "framing")
"""The axes."""

LONGEST_LINE = 4_000
"""Letters of a line in a list; each is a prompt's part."""

DEFAULT_AXES = ("place", "light", "clothes")

_KNOWN_BY: Mapping[str, str] = {
    "light": r"light|lit|lighting|lamps?|golden hour|blue hour|candle\w*|softbox|shadows?|daylight|sunset|sunrise",
    "lens": r"\d+ ?mm|lens|depth of field|bokeh|medium format|film|wide angle|shot on|f/\d",
    "expression": r"smil\w+|look|looking|laugh\w*|grin\w*|expression|serious|frown\w*|gaze",
    "framing": r"close-?up|head and shoulders|half body|full body|profile|three-quarter|low angle|headshot view",
    "clothes": (
        r"wearing|suit|shirt|t-shirt|sweater|jacket|coat|raincoat|blazer|turtleneck|cardigan|dress|hoodie|outfit|scarf|tie"
    ),
    "place": (
        r"background|backdrop|in front of|library|kitchen|office|workshop|cafe|wall|bookshelf|pier|beach|garden|field"
        r"|forest|mountains?|street|rooftop|train|city|park|room|studio|sea|outdoors|indoors"
    ),
}
"""By which words a part of a prompt is known to be about an axis; the first that fits has it."""


def wildcard_folders() -> tuple[Path, ...]:
    """Where lists lie: the user's own, then those that Limner comes with."""
    own = Path(platformdirs.user_data_dir("limner", appauthor=False)) / "wildcards"
    shipped = Path(str(files("engine.prompts").joinpath("wildcards")))
    return (own, shipped) if own.is_dir() else (shipped,)


def wildcard_names() -> tuple[str, ...]:
    """The names of all lists, as ``__name__`` gives them."""
    found = {
        file.relative_to(folder).with_suffix("").as_posix()
        for folder in wildcard_folders()
        for file in folder.rglob("*.txt")
    }
    return tuple(sorted(found))


def check_list(name: str) -> None:
    """Looks whether the lists of a name are text; the library that draws from them does not say which is none.

    Raises:
        PromptError: one can't be read; names its file.
    """
    for folder in wildcard_folders():
        path = folder / f"{name}.txt"
        try:
            # Files that are as they were are not read again for each prompt.
            told = path.stat()
            _read_list(path, told.st_mtime_ns, told.st_size)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise PromptError(f"{path} can't be read ({why})", "save it as UTF-8 text, one word a line") from error


@lru_cache(maxsize=256)
def _read_list(path: Path, _changed: int, _size: int) -> None:
    text = read_text(path)
    if "\0" in text:
        raise ValueError("it holds NUL bytes")
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LONGEST_LINE:
            raise ValueError(f"line {number} has more than {LONGEST_LINE:,} letters")


@lru_cache(maxsize=16)
def options(axis: str) -> tuple[str, ...]:
    """What an axis offers.

    Raises:
        PromptError: an axis that is not known.
    """
    if axis not in NAMES:
        raise PromptError(f"there is no axis {axis}", f"use some of: {', '.join(NAMES)}")
    text = files("engine.prompts").joinpath("wildcards", f"{axis}.txt").read_text("utf-8")
    return tuple(line.strip() for line in text.splitlines() if line.strip())


AXES: Mapping[str, tuple[str, ...]] = MappingProxyType({name: options(name) for name in NAMES})
"""Each axis and what it offers."""


def axis_of(part: str) -> str | None:
    """Which axis a part of a prompt is about; None where no word tells."""
    for axis, pattern in _KNOWN_BY.items():
        if re.search(rf"\b(?:{pattern})\b", part, re.IGNORECASE):
            return axis
    return None
