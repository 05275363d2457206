"""Names that look the same and are not: ``Ü`` is one character or two (Unicode's NFC and NFD, UAX #15).

macOS hands out names taken apart, Linux and Windows as they were typed, and an index keeps what it was given: the same
photo is called one thing on disk and another in the index or by the person who types its folder.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PurePath


def folded(text: str) -> str:
    """A text as it is compared: composed, upper and lower case alike."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def alike(one: str, other: str) -> bool:
    """Whether two names are the same but for how their characters are put together."""
    return one == other or unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def as_on_disk(path: Path) -> Path:
    """The path as the disk spells it; as it was given where nothing is there in any spelling.

    Each part is looked for as it is, composed, and taken apart; a folder that holds a name in a mixture is not read.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for part in PurePath(path).parts[1 if path.anchor else 0 :]:
        forms = (part, unicodedata.normalize("NFC", part), unicodedata.normalize("NFD", part))
        spelled = next((form for form in forms if os.path.lexists(found / form)), None)
        if spelled is None:
            return path
        found /= spelled
    return found


def is_folder(path: Path) -> bool:
    """Whether a folder is there, as far as this user may see."""
    try:
        return path.is_dir()
    except OSError:
        # Below one that may not be looked into, or a name that no disk takes.
        return False


def is_plain_file(path: Path) -> bool:
    """Whether a file is there, as far as this user may see."""
    try:
        return path.is_file()
    except OSError:
        return False
