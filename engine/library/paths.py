"""From an index's row to a file on this machine, and whether the folders that were given fit the rows."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Protocol, runtime_checkable

from engine.counting import many
from engine.errors import LibraryError, RootsDoNotFit
from engine.library.faces import FOLDER_ROOT
from engine.library.spelling import as_on_disk, is_folder, is_plain_file
from engine.settings import LibrarySettings
from engine.storage.project_paths import expand_home

SAMPLE = 5
"""How many files of a root are tried."""


class Root(StrEnum):
    """PhotoPrism's roots as ``files.file_root`` names them (``internal/entity/file.go``)."""

    ORIGINALS = "/"
    SIDECAR = "sidecar"
    IMPORT = "import"
    FOLDER = FOLDER_ROOT
    """A plain folder without an index, which no PhotoPrism knows."""

    @property
    def wanted(self) -> str:
        """What to do where its folder is wrong."""
        if self is Root.FOLDER:
            return "give the folder that holds the photos"
        return f"give PhotoPrism's {self.word} folder as seen from this machine"

    @property
    def word(self) -> str:
        """The root's name for people and as the command line's option."""
        return "originals" if self is Root.ORIGINALS else self.value


class NoSuchRoot(LibraryError):
    """A file lies in a root whose folder is not known here."""


class ClimbsOut(LibraryError):
    """A file's name leads out of its root."""


class NoPhotosNow(LibraryError):
    """No photo at all can be had at present, so it says nothing about the one that was asked for."""


@dataclass(frozen=True)
class Roots:
    """The folders, as this machine sees them; None: not given."""

    originals: Path | None = None
    sidecar: Path | None = None
    import_folder: Path | None = None
    mounts: tuple[tuple[str, Path], ...] = ()
    """What is mounted below originals: its place there, ``family/2019``, and its folder."""
    plain: Path | None = None
    """A plain folder without an index."""

    @classmethod
    def of(cls, settings: LibrarySettings, base: Path | None = None) -> Roots:
        """The roots of the settings; relative folders are relative to ``base``."""
        here = (base or Path()).resolve()

        def folder(path: Path | None) -> Path | None:
            return as_on_disk(Path(os.path.normpath(here / expand_home(path)))) if path else None

        mounts = tuple((place, found) for place, path in settings.mounts.items() if (found := folder(path)))
        return cls(folder(settings.originals), folder(settings.sidecar), folder(settings.import_folder), mounts)

    def folder(self, root: Root) -> Path | None:
        """The folder of a root."""
        folders = {Root.ORIGINALS: self.originals, Root.SIDECAR: self.sidecar, Root.IMPORT: self.import_folder}
        return self.plain if root is Root.FOLDER else folders[root]

    def mount_of(self, file_name: str) -> tuple[str, Path] | None:
        """The mount that holds a file of originals: the one with the longest place where several do."""
        if not self.mounts:
            return None
        parts = _parts(file_name)
        holding = [each for each in self.mounts if parts[: len(_parts(each[0]))] == _parts(each[0])]
        return max(holding, key=lambda each: len(_parts(each[0])), default=None)

    def path(self, file_root: str, file_name: str) -> Path:
        """Where a row's file should lie. Whether it is there is not looked at.

        Originals may hold folders that are mounted from elsewhere: a file below one lies in its folder.

        Raises:
            NoSuchRoot: the root has no folder here.
            ClimbsOut: the name is absolute, has ``..`` in it, or a link on the way leaves the root.
        """
        if file_root not in tuple(Root):
            raise NoSuchRoot(f"the library's {file_root} folder is not one that Limner reads")
        root = Root(file_root)
        folder = self.folder(root)
        pure = PurePosixPath(file_name)
        mount = self.mount_of(file_name) if root is Root.ORIGINALS else None
        if mount is not None:
            folder, pure = mount[1], _below(pure, mount[0]) if ".." not in pure.parts else pure
        if folder is None:
            raise NoSuchRoot(f"the {root.word} folder is not set", f"limner connect --{root.word} DIR")
        if not file_name or pure.is_absolute() or ".." in pure.parts or "\0" in file_name:
            raise ClimbsOut("the file's name points out of its folder", "look for that file in the library")
        path = as_on_disk(folder / pure)
        if (link := leads_out(folder, path)) is not None:
            raise ClimbsOut(
                "a link points out of the folder", _mounting(folder, link) if root is Root.ORIGINALS else ""
            )
        return path

    def done(self) -> None:
        """Nothing more is asked for at present. Folders need no farewell."""


@dataclass(frozen=True)
class RootCheck:
    """How a root's folder fits: ``opened`` of ``sampled`` files were there and readable."""

    root: Root
    folder: Path | None
    opened: int
    sampled: int
    files: int
    """How many files with faces the index has in this root."""
    mount: str | None = None
    """Where below originals this folder is mounted; None: it is the root itself."""
    remote: bool = False
    """Whether photos are fetched into the folder one by one, ``files`` of them so far."""

    @property
    def line(self) -> str:
        """The check in words: ``originals: 5 of 5 sampled files opened (/photos)``."""
        if self.remote:
            place = f" ({self.folder})" if self.folder else ""
            return f"photos: fetched when they are needed, {self.files:,} so far{place}"
        name = f"{self.root.word}/{self.mount}" if self.mount else self.root.word
        if self.folder is None:
            return f"{name}: not set, {many(self.files, 'file')} with faces can't be opened"
        return f"{name}: {self.opened} of {self.sampled} sampled files opened ({self.folder})"


@runtime_checkable
class Checks(Protocol):
    """Roots that are no folders and look at themselves."""

    def check(self) -> list[RootCheck]:
        """How they stand."""


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
    if isinstance(roots, Checks):
        return roots.check()
    by_root: dict[Root, _Sample] = {}
    by_mount = {each: _Sample(count, seed) for each in roots.mounts}
    for file_root, name in files:
        if file_root in tuple(Root):
            root = Root(file_root)
            mount = roots.mount_of(name) if root is Root.ORIGINALS else None
            (by_mount[mount] if mount else by_root.setdefault(root, _Sample(count, seed))).add(name)
    checks: list[RootCheck] = []
    for root in Root:
        names = by_root.get(root)
        folder = roots.folder(root)
        if folder is not None:
            _look_into(folder, root.wanted)
        if not names:
            continue
        tried = names.kept() if folder else []
        opened = sum(_opens(roots, root, name) for name in tried)
        if folder is None and root is Root.ORIGINALS:
            raise RootsDoNotFit("PhotoPrism's originals folder is not set", "give it with --originals DIR")
        if folder is not None and not opened:
            raise _does_not_fit(root, folder, tried)
        checks.append(RootCheck(root, folder, opened, len(tried), names.seen))
    return checks + [_check_mount(roots, mount, names) for mount, names in by_mount.items()]


def _look_into(folder: Path, fix: str) -> None:
    """Raises RootsDoNotFit where a folder is not there, or may not be looked into."""
    if not is_folder(folder):
        raise RootsDoNotFit(f"there is no folder {folder}", fix)
    if not os.access(folder, os.R_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise RootsDoNotFit(
            f"{folder} may not be read by this user", "make it readable, or run Limner as a user who may read it"
        )


def _check_mount(roots: Roots, mount: tuple[str, Path], names: _Sample) -> RootCheck:
    place, folder = mount
    _look_into(folder, f"give what is mounted at originals/{place} there")
    tried = names.kept()
    opened = sum(_opens(roots, Root.ORIGINALS, name) for name in tried)
    if tried and not opened:
        what = f"{folder} holds none of the {len(tried)} sampled files below originals/{place}, such as {tried[0]}"
        raise RootsDoNotFit(what, f"give the folder that is mounted there: --mount {place}=DIR")
    return RootCheck(Root.ORIGINALS, folder, opened, len(tried), names.seen, place)


def _parts(place: str) -> tuple[str, ...]:
    return PurePosixPath(unicodedata.normalize("NFC", place)).parts


class _Sample:
    """Some of very many names, picked by chance while they pass; the same ones in whatever order they come."""

    def __init__(self, count: int, seed: int) -> None:
        self.seen = 0
        self._count = count
        self._seed = seed.to_bytes(8, "little", signed=True)
        self._least: list[tuple[bytes, str]] = []

    def add(self, name: str) -> None:
        """One more name; it is kept where its lot is among the lowest."""
        self.seen += 1
        lot = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8, key=self._seed).digest()
        if len(self._least) < self._count or lot < self._least[-1][0]:
            self._least = sorted([*self._least, (lot, name)])[: self._count]

    def kept(self) -> list[str]:
        """The names that were picked."""
        return sorted(name for _, name in self._least)


def _opens(roots: Roots, root: Root, name: str) -> bool:
    try:
        path = roots.path(root, name)
        # Nothing but a plain file is opened: a pipe would wait for its writer.
        if not path.is_file():
            return False
        with path.open("rb") as handle:
            return bool(handle.read(1))
    except (OSError, LibraryError):
        return False


def leads_out(folder: Path, path: Path) -> Path | None:
    """The link on the way from a folder to a path below it that leads out of the folder; None where none does."""
    top = os.path.realpath(folder)
    if _inside(top, path):
        return None
    way = folder
    for part in path.relative_to(folder).parts:
        way /= part
        if way.is_symlink() and not _inside(top, way):
            return way
    return path


def _inside(top: str, path: Path) -> bool:
    return os.path.commonpath([top, os.path.realpath(path)]) == top


def _mounting(folder: Path, link: Path) -> str:
    """How to say that what a link leads to belongs to the library."""
    if not is_folder(link):
        return "put the photo itself there"
    return f"--mount {link.relative_to(folder).as_posix()}={os.path.realpath(link)}"


def _below(name: PurePosixPath, place: str) -> PurePosixPath:
    """A name's parts after those of the place that it begins with."""
    return PurePosixPath(*name.parts[len(_parts(place)) :])


def _does_not_fit(root: Root, folder: Path, tried: Sequence[str]) -> RootsDoNotFit:
    what = f"{folder} holds none of the {len(tried)} sampled files, such as {tried[0]}"
    for name in tried if root is Root.ORIGINALS else ():
        path = as_on_disk(folder / name)
        link = leads_out(folder, path) if ".." not in path.parts and is_plain_file(path) else None
        if link is not None:
            what = f"{link} is a link that points out of {folder}, to {os.path.realpath(link)}"
            return RootsDoNotFit(what, f"set where it is mounted: {_mounting(folder, link)}")
    for near in _nearby(folder):
        # What may not be looked at does not fit.
        if any(is_plain_file(as_on_disk(near / name)) for name in tried):
            return RootsDoNotFit(what, f"{near} would fit: --{root.word} {near}")
    return RootsDoNotFit(what, root.wanted)


def _nearby(folder: Path) -> list[Path]:
    """The folders above, below and beside."""

    def below(parent: Path) -> list[Path]:
        try:
            return sorted(each for each in parent.iterdir() if is_folder(each))[:200]
        except OSError:
            return []

    return [*list(folder.parents)[:3], *below(folder), *below(folder.parent)]
