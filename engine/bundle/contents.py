"""What a bundle holds, and the limits that hold for every one, whoever made it.

A bundle is a gzipped tar of plain files. The first is ``bundle.json``: what it is and how much of it there is; the last
is ``checksums.json``: the SHA-256 of each file between them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from engine import __version__
from engine.dataset.regularisation import NAME as REGULARISATION
from engine.errors import ProjectError
from engine.storage.untrusted_files import parse_json

ABOUT, CHECKSUMS = "bundle.json", "checksums.json"
VERSION = 1

MOST_FILES = 500_000
MOST_BYTES = 2 * 10**12
"""A bundle that says it holds more is refused, as is one that holds more than it says."""

LONGEST_NAME = 1000
LARGEST_ABOUT = 65_536
"""Bytes of ``bundle.json``."""

A_FILE = 8192
"""Bytes that each file's name may take in the tar's headers, and what stands around it."""

A_SUM = 100
"""Bytes that each file takes in ``checksums.json`` beside its name: the SHA-256 in hex, quotes, spaces."""

_RUN = re.compile(r"[\w][\w.+-]*")


class BundleError(ProjectError):
    """A bundle can't be made, or what is called one can't be opened."""


class BundleKind(StrEnum):
    """What a bundle carries."""

    PROJECT = "project"
    """Settings, dataset, captions, regularisation images and prompts."""
    RUNS = "runs"
    """Training runs."""
    PICTURES = "pictures"
    """Painted pictures with what was said of them, and grids."""


@dataclass(frozen=True)
class Member:
    """A file on its way into a bundle: one of the disk, or bytes."""

    name: str
    """Its path in the bundle, with slashes."""
    source: Path | bytes

    @property
    def size(self) -> int:
        """Bytes, as far as it has them now."""
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size


@dataclass(frozen=True)
class About:
    """What a bundle says of itself."""

    kind: BundleKind
    files: int
    bytes: int
    trigger: str = ""

    def record(self) -> dict[str, Any]:
        """As ``bundle.json`` has it."""
        told = {"v": VERSION, "kind": self.kind.value, "files": self.files, "bytes": self.bytes}
        return {**told, "trigger": self.trigger, "limner": __version__}


def read_about(data: bytes) -> About:
    """Raises BundleError where it is none, newer than this Limner, or of an absurd size."""
    try:
        record = parse_json(data)
        if record["v"] > VERSION:
            raise BundleError("the bundle was made by a newer Limner", "update Limner on this machine")
        about = About(BundleKind(record["kind"]), int(record["files"]), int(record["bytes"]), str(record["trigger"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise no_bundle() from error
    if not (0 <= about.files <= MOST_FILES and 0 <= about.bytes <= MOST_BYTES):
        raise BundleError("the bundle declares an absurd size", "make it again with: limner bundle")
    return about


def checked_name(name: str, kind: BundleKind) -> PurePosixPath:
    """A file's place below the project. Raises BundleError where it would lie anywhere else, or is none of ours."""
    path = PurePosixPath(name)
    odd = not name or len(name) > LONGEST_NAME or "\\" in name or not name.isprintable() or str(path) != name
    if odd or path.is_absolute() or any(part.startswith(".") for part in path.parts):
        raise BundleError(
            f"the bundle holds a file that points outside of it ({name[:80]!r})", "don't trust its sender"
        )
    first, *rest = path.parts
    if kind is BundleKind.RUNS:
        ours = first == "runs" and len(rest) > 1 and _RUN.fullmatch(rest[0]) is not None
    elif kind is BundleKind.PICTURES:
        ours = name == "gallery.json" or (first == "pictures" and bool(rest))
    else:
        ours = name in ("limner.toml", "prompts.json") or (first in ("dataset", REGULARISATION) and bool(rest))
    if not ours:
        raise BundleError(
            f"the bundle holds a file that does not belong in a bundle ({name[:80]!r})", "make it with: limner bundle"
        )
    return path


def as_json(record: Mapping[str, Any] | list[Any]) -> bytes:
    """A record as the bytes of a file."""
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def no_bundle() -> BundleError:
    """What is said of any other file."""
    return BundleError("this is not a Limner bundle", "make one with: limner bundle")
