"""JSON and TOML that may come from anybody: read in bounded memory and time, or refused with one kind of error.

A file in a project, a run that was copied here, a configuration: each of them may be hostile or damaged. ``json`` and
``tomllib`` raise RecursionError on deep nesting, take numbers of any length, and read files of any size.
"""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import tomllib
from pathlib import Path
from typing import Any, BinaryIO

LARGEST_BYTES = 32_000_000
"""Of a JSON file; the manifest of 100,000 images has fewer."""

LARGEST_TOML = 1_000_000
"""Letters of a TOML file; settings have a few thousand."""

MOST_MEMORY = 600_000_000
"""Bytes that the values of one JSON text may take once they are read: ``[{},{},…]`` takes 24 times its own length."""

_WEIGHTS = (("{", 64), ("[", 96), (",", 60), (":", 180))
"""Bytes that a value takes for each of these signs, at most: an object, a list, a text or number in a list, a key with
its value. Measured with ``tracemalloc`` on CPython 3.11; signs within texts are counted too."""

_SMALL = 100_000
"""Bytes of a text that can't take much, whatever stands in it."""

LONGEST_NUMBER = 400
"""Digits; no number of ours has more than 25, and floats end at 309."""

LONGEST_KEY = 1_000
"""Letters of a line before its ``=``: dotted keys cost the square of their number."""


def parse_json(text: str | bytes, most_memory: int = MOST_MEMORY) -> Any:
    """The value of a JSON text.

    Args:
        text: the text; bytes are UTF-8.
        most_memory: bytes that its values may take.

    Raises:
        ValueError: it is none, nested too deeply, holds a number of endless digits, or its values would take more
            memory.
    """
    check_memory(text, most_memory)
    try:
        return json.loads(text, parse_int=_whole, parse_float=_number)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def check_memory(text: str | bytes | bytearray, most: int = MOST_MEMORY) -> None:
    """Raises ValueError where the values of a JSON text might take more than so many bytes of memory."""
    if len(text) > _SMALL and _weight(text) > most:
        raise ValueError(f"its values would take more than {most / 1e6:g} MB")


def open_plain(path: Path, follow: bool = True) -> BinaryIO:
    """Opens a plain file for reading; a pipe or a device would hold whoever opens it.

    Args:
        path: the file.
        follow: whether it may be a link to one.

    Raises:
        OSError: it can't be opened, or is no plain file.
    """
    links = 0 if follow else os.O_NOFOLLOW
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | links)
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        raise OSError(errno.EINVAL, "it is not a plain file", str(path))
    os.set_blocking(handle, True)
    return os.fdopen(handle, "rb")


def read_bytes(path: Path, most: int, follow: bool = True) -> bytes:
    """A plain file's bytes, at most so many.

    Args:
        path: the file.
        most: bytes that it may have.
        follow: whether it may be a link to one.

    Raises:
        OSError: it can't be read, or is a pipe or a device.
        ValueError: it is larger.
    """
    with open_plain(path, follow) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most / 1e6:g} MB")
    return data


def read_text(path: Path, most: int = 4 * LARGEST_TOML) -> str:
    """A plain file's text, in UTF-8; a byte order mark, which editors on Windows write, is passed over.

    Raises:
        OSError: as ``read_bytes``.
        ValueError: it is larger, or no UTF-8.
    """
    return read_bytes(path, most).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path, most: int = LARGEST_BYTES) -> Any:
    """The value of a JSON file.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        OSError: it can't be read.
        ValueError: as ``parse_json``, or the file is larger.
    """
    return parse_json(read_bytes(path, most).decode("utf-8"))


def parse_toml(text: str) -> dict[str, Any]:
    """The table of a TOML text.

    Raises:
        tomllib.TOMLDecodeError: it is none, too long or nested too deeply.
    """
    if len(text) > LARGEST_TOML:
        raise tomllib.TOMLDecodeError(f"it has more than {LARGEST_TOML:,} letters")
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LONGEST_KEY and len(line.partition("=")[0]) > LONGEST_KEY and not _within_text(line):
            raise tomllib.TOMLDecodeError(f"line {number} has a key of more than {LONGEST_KEY:,} letters")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise tomllib.TOMLDecodeError("it is nested too deeply") from error
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:
        # Python's own bound of a number's digits.
        raise tomllib.TOMLDecodeError("it holds a number of thousands of digits") from error


def _within_text(line: str) -> bool:
    """Whether a long line is text or a comment, which may be as long as it likes."""
    return line.lstrip()[:1] in ("#", '"', "'") or ("[" not in line and "." not in line.partition("=")[0])


def _weight(text: str | bytes | bytearray) -> int:
    """Bytes that the values of a JSON text take, or fewer; a text with one wide letter takes four bytes a letter."""
    if not isinstance(text, str):
        return 4 * len(text) + sum(text.count(sign.encode()) * weight for sign, weight in _WEIGHTS)
    return 4 * len(text) + sum(text.count(sign) * weight for sign, weight in _WEIGHTS)


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number has {len(digits):,} digits")
    return int(digits)


def _number(digits: str) -> float:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number has {len(digits):,} digits")
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} is out of range")
    return number
