"""From an index's row to a file on this machine, and whether the folders that were given fit the rows."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path, PurePosixPath

from engine.errors import LibraryError, RootsDoNotFit
from engine.settings import LibrarySettings

SAMPLE = 5
"""How many files of a root are tried."""


class Root(StrEnum):
    """PhotoPrism's roots as ``files.file_root`` names them (``internal/entity/file.go``)."""

    ORIGINALS = "/"
    SIDECAR = "sidecar"
    IMPORT = "import"

    @property
    def word(self) -> str:
        """The root's name for people and as the command line's option."""
        return "originals" if self is Root.ORIGINALS else self.value


class NoSuchRoot(LibraryError):
    """A file lies in a root whose folder is not known here."""


class ClimbsOut(LibraryError):
    """A file's name leads out of its root."""


@dataclass(frozen=True)
class Roots:
    """The folders, as this machine sees them; None: not given."""

    originals: Path | None = None
    sidecar: Path | None = None
    import_folder: Path | None = None

    @classmethod
    def of(cls, settings: LibrarySettings, base: Path | None = None) -> Roots:
        """The roots of the settings; relative folders are relative to ``base``."""
        here = (base or Path()).resolve()

        def folder(path: Path | None) -> Path | None:
            return Path(os.path.normpath(here / path.expanduser())) if path else None

        return cls(folder(settings.originals), folder(settings.sidecar), folder(settings.import_folder))

    def folder(self, root: Root) -> Path | None:
        """The folder of a root."""
        return {Root.ORIGINALS: self.originals, Root.SIDECAR: self.sidecar, Root.IMPORT: self.import_folder}[root]

    def path(self, file_root: str, file_name: str) -> Path:
        """Where a row's file should lie. Whether it is there is not looked at.

        Raises:
            NoSuchRoot: the root has no folder here.
            ClimbsOut: the name is absolute, has ``..`` in it, or a link on the way leaves the root.
        """
        if file_root not in tuple(Root):
            raise NoSuchRoot(f"PhotoPrism's {file_root} folder is not one that Limner reads")
        root = Root(file_root)
        folder = self.folder(root)
        if folder is None:
            raise NoSuchRoot(f"the {root.word} folder is not set", f"limner connect --{root.word} DIR")
        pure = PurePosixPath(file_name)
        if not file_name or pure.is_absolute() or ".." in pure.parts or "\0" in file_name:
            raise ClimbsOut("the file's name leads out of its folder", "index that file again in PhotoPrism")
        path = folder / pure
        top = os.path.realpath(folder)
        if os.path.commonpath([top, os.path.realpath(path)]) != top:
            raise ClimbsOut("a link leads out of the folder", "put the photo itself there")
        return path


@dataclass(frozen=True)
class RootCheck:
    """How a root's folder fits: ``opened`` of ``sampled`` files were there and readable."""

    root: Root
    folder: Path | None
    opened: int
    sampled: int
    files: int
    """How many files with faces the index has in this root."""

    @property
    def line(self) -> str:
        """The check in words: ``originals: 5 of 5 sampled files opened (/photos)``."""
        if self.folder is None:
            return f"{self.root.word}: not set, {self.files} files with faces can't be opened"
        return f"{self.root.word}: {self.opened} of {self.sampled} sampled files opened ({self.folder})"


def check_roots(files: Iterable[tuple[str, str]], roots: Roots, count: int = SAMPLE, seed: int = 0) -> list[RootCheck]:
    """Opens some files of every root that the index uses.

    Args:
        files: root and name of every file with a face, as ``PhotoPrismLibrary.files`` gives them.
        roots: the folders to try.
        count: how many files a root.
        seed: the same seed tries the same files.

    Raises:
        RootsDoNotFit: a folder is missing or holds none of the files tried, or there are originals and no folder
            for them; says which folder near it would fit.
    """
    by_root: dict[Root, list[str]] = {}
    for file_root, name in files:
        if file_root in tuple(Root):
            by_root.setdefault(Root(file_root), []).append(name)
    checks: list[RootCheck] = []
    for root in Root:
        names = sorted(by_root.get(root, []))
        folder = roots.folder(root)
        if folder is not None and not folder.is_dir():
            raise RootsDoNotFit(
                f"there is no folder {folder}", f"give PhotoPrism's {root.word} folder as seen from here"
            )
        if not names:
            continue
        tried = _spread(names, count, seed) if folder else []
        opened = sum(_opens(roots, root, name) for name in tried)
        if folder is None and root is Root.ORIGINALS:
            raise RootsDoNotFit("PhotoPrism's originals folder is not set", "give it with --originals DIR")
        if folder is not None and not opened:
            raise _does_not_fit(root, folder, tried)
        checks.append(RootCheck(root, folder, opened, len(tried), len(names)))
    return checks


def _spread(names: Sequence[str], count: int, seed: int) -> list[str]:
    """Some names, one out of each equally long stretch of the list."""
    chance = random.Random(seed)
    parts = min(count, len(names))
    edges = [len(names) * part // parts for part in range(parts + 1)]
    return [names[chance.randrange(low, high)] for low, high in pairwise(edges)]


def _opens(roots: Roots, root: Root, name: str) -> bool:
    try:
        with roots.path(root, name).open("rb") as handle:
            return bool(handle.read(1))
    except (OSError, LibraryError):
        return False


def _does_not_fit(root: Root, folder: Path, tried: Sequence[str]) -> RootsDoNotFit:
    what = f"{folder} holds none of the {len(tried)} sampled files, such as {tried[0]}"
    for near in _nearby(folder):
        if any((near / name).is_file() for name in tried):
            return RootsDoNotFit(what, f"{near} would fit: --{root.word} {near}")
    return RootsDoNotFit(what, f"give PhotoPrism's {root.word} folder as seen from this machine")


def _nearby(folder: Path) -> list[Path]:
    """The folders above, below and beside."""

    def below(parent: Path) -> list[Path]:
        try:
            return sorted(each for each in parent.iterdir() if each.is_dir())[:200]
        except OSError:
            return []

    return [*list(folder.parents)[:3], *below(folder), *below(folder.parent)]
