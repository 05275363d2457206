"""Photos of a server that is elsewhere: each fetched once into the project's cache, whole and proven.

A photo lies under its checksum, ``cache/originals/3f/3f78….jpg``, so the same one is never fetched twice, whatever it
is called. While it comes it lies under a hidden name; what is there of it when the connection breaks or the process is
killed stays, and the rest is asked for (``Range``, RFC 9110, 14). It gets its name when its SHA-1 is the one that
the server knows: no placeholder and no error page of a proxy can ever be taken for it. Where the server knows no SHA-1
of the bytes, the file has to be as long as it says.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar

from engine.errors import HostUnreachable, LibraryError, NotALibrary, WrongPassword
from engine.library.file_hash import sha1_of
from engine.library.paths import NoPhotosNow, Root, RootCheck, Roots
from engine.library.web.messages import kind_of
from engine.library.web.session import TRIES, Refused, WebSession
from engine.network.bounded_http import Answer
from engine.network.deadlines import Left, TooSlow
from engine.storage.liveness_locks import flock
from engine.storage.own_files import open_own

CACHE = "cache"
"""The folder of a project that photos are fetched into."""

FOLDER = "originals"
"""In that."""

CHUNK = 256 * 1024

LEAST_ROOM = 500_000_000
"""Bytes that stay free on the disk."""

MOST_BYTES = 2_000_000_000
"""A file that is told or found to be larger is no photo that a person is looked for on."""

MOST_WORDS = 20_000
"""Bytes that are read of an answer that is an error: then the connection can be used again."""

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)
"""What a disk says; waiting helps none of it."""

_SHA1 = re.compile(r"[0-9a-f]{40}")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


@dataclass(frozen=True)
class RemoteFile:
    """A file as the server knows it."""

    hash: str
    """SHA-1 of its bytes, in hex; empty: not known."""
    size: int
    """Bytes; 0: not known."""
    id: str = ""
    """What it is asked for by, where that is not its checksum."""
    proven: bool = True
    """Whether ``hash`` is of its bytes; else it only tells this state of the file from others."""


@dataclass(frozen=True, eq=False)
class RemoteOriginals(Roots, ABC):
    """Files by root and name, as with folders; asking where one lies fetches it. Each kind of server has a class of
    its own."""

    session: WebSession | None = None
    cache: Path | None = None
    """The project's; None: there is no project to fetch into."""
    known: dict[tuple[str, str], RemoteFile] = field(default_factory=dict)
    """What the server told of files so far."""

    title: ClassVar[str]
    """What the server is called."""
    again: ClassVar[str]
    """What to do there about a file that is not the one that it knows."""

    @abstractmethod
    def request(self, told: RemoteFile, headers: Mapping[str, str]) -> AbstractContextManager[Answer]:
        """Asks for a file's bytes; the answer's status is 200 or 206.

        Raises:
            NoPhotosNow: no other could be had either.
            LibraryError: this one can't be had.
        """

    def path(self, file_root: str, file_name: str) -> Path:
        """Where the file lies now, whole.

        Raises:
            NoPhotosNow: it can't be fetched, nor could any other be: no connection, no right, no room.
            LibraryError: this one can't be fetched.
        """
        told = self.known.get((file_root, file_name))
        if told is None or not _SHA1.fullmatch(told.hash):
            raise LibraryError(f"{self.title} has no checksum of the file", self.again)
        if self.cache is None:
            raise NoPhotosNow("photos are fetched into a project, and there is none here", "limner new DIR")
        path = place_of(self.cache, told.hash, file_name)
        if not path.exists():
            try:
                self._fetch(told, path)
            except OSError as error:
                raise NoPhotosNow(f"{path.parent} can't be written ({error.strerror})", "make room there") from error
        return path

    def check(self) -> list[RootCheck]:
        """How many were fetched so far. None is asked for: a server may note a file as missing when a download of it
        fails, as PhotoPrism does."""
        count = fetched(self.cache)[0] if self.cache else 0
        folder = self.cache / FOLDER if self.cache else None
        return [RootCheck(Root.ORIGINALS, folder, count, count, count, remote=True)]

    def done(self) -> None:
        """Ends the connections."""
        if self.session is not None:
            self.session.close()

    def _fetch(self, told: RemoteFile, path: Path) -> None:
        assert self.session is not None
        if told.size > MOST_BYTES:
            raise self._too_large(told.size)
        path.parent.mkdir(parents=True, exist_ok=True)
        _want_room(path.parent, told.size)
        with _alone(path) as part:
            if path.exists():
                return
            if not told.proven:
                # Nothing would tell whether what is there fits what comes.
                os.truncate(part, 0)
            anew = False
            for attempt in range(TRIES):
                last = attempt == TRIES - 1
                try:
                    if self._take(told, part, last):
                        os.replace(part, path)
                        return
                except Refused as error:
                    if error.status != 416:
                        raise
                    # It has nothing behind what is there: of that file, or of another one that is shorter.
                    os.truncate(part, 0)
                    if anew or last:
                        raise self._another("its length differs") from error
                    anew = True
                self.session.pause(attempt)

    def _take(self, told: RemoteFile, part: Path, last: bool) -> bool:
        """Fetches what is missing of a file. Returns whether it is whole now; not, where it is to be tried again."""
        assert self.session is not None
        try:
            if not told.size or part.stat().st_size < told.size:
                self._append(told, part)
        except (http.client.HTTPException, OSError) as error:
            if isinstance(error, OSError) and error.errno in _DISK:
                raise
            # It broke off: what came is kept.
            if isinstance(error, Left):
                raise NoPhotosNow(f"{self.session.address.where} was left", "finished downloads are kept") from error
            if last or isinstance(error, TooSlow):
                what = f"{self.session.address.where} keeps breaking off"
                raise NoPhotosNow(what, "try again later; finished downloads are kept") from error
            return False
        except (HostUnreachable, NotALibrary, WrongPassword) as error:
            raise NoPhotosNow(error.what, error.fix) from error
        length = part.stat().st_size
        if sha1_of(part) == told.hash if told.proven else length == (told.size or length):
            return True
        if told.size and length < told.size and not last:
            # A proxy that ended the answer early without saying so.
            return False
        os.truncate(part, 0)
        raise self._another(f"its {'checksum' if told.proven else 'length'} differs")

    def _append(self, told: RemoteFile, part: Path) -> None:
        """Asks for what comes after the bytes that are there, and writes it behind them."""
        have = part.stat().st_size
        for _ in range(2):
            headers = {"Range": f"bytes={have}-"} if have else {}
            with self.request(told, headers) as response:
                if response.status == 200 or not _goes_on_at(response, have):
                    os.truncate(part, 0)
                    if response.status == 206:
                        have = 0
                        continue
                self._write(response, part, told.size)
                return
        raise http.client.HTTPException("it sends another part of the file than was asked for")

    def _write(self, response: Answer, part: Path, size: int) -> None:
        """Writes what comes behind what is there, and no more than was told of; where the disk gets full, what came
        stays.

        Args:
            response: what comes.
            part: the file that it is a part of.
            size: how many bytes the whole file should have; 0: not known.

        Raises:
            LibraryError: it is longer than it should be; nothing of it is kept.
            NoPhotosNow: the disk is full.
            IncompleteRead: it broke off.
        """
        most, have = size or MOST_BYTES, part.stat().st_size
        with os.fdopen(open_own(part, os.O_WRONLY | os.O_APPEND), "ab") as file:
            while have + (response.length or 0) <= most and (chunk := response.read(CHUNK)):
                have += len(chunk)
                if have > most:
                    break
                _want_room(part.parent, len(chunk))
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if have + (response.length or 0) > most:
            os.truncate(part, 0)
            if not size:
                raise self._too_large(have)
            raise self._another("it is longer")
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)

    def _another(self, how: str) -> LibraryError:
        return LibraryError(f"the file is not the one that {self.title} indexed ({how})", self.again)

    def _too_large(self, size: int) -> LibraryError:
        what = f"the file has {max(size, MOST_BYTES) / 1e9:,.0f} GB or more, too much for a photo"
        return LibraryError(what, f"look at it in {self.title}")


def refuse_pages(response: Answer) -> None:
    """Raises NoPhotosNow for an answer that is a text: proxies write pages."""
    kind = kind_of(response)
    if kind.startswith("text/") or kind == "application/json":
        raise NoPhotosNow(f"the server sent {kind} instead of a photo", "see whether a proxy asks for a login")


def place_of(cache: Path, file_hash: str, file_name: str) -> Path:
    """Where a file's copy lies. Only the end of its own name is used, for people who look at it."""
    suffix = PurePosixPath(file_name).suffix.lower()
    return cache / FOLDER / file_hash[:2] / f"{file_hash}{suffix if _SUFFIX.fullmatch(suffix) else ''}"


def fetched(cache: Path) -> tuple[int, int]:
    """How many photos were fetched into a cache, and their bytes; what is under way counts for its bytes alone."""
    count = size = 0
    for folder in (cache / FOLDER).glob("??"):
        for each in folder.iterdir():
            count += each.name[0] != "."
            size += each.stat().st_size
    return count, size


def _goes_on_at(response: http.client.HTTPResponse, at: int) -> bool:
    """Whether a part of a file is the one that was asked for: ``Content-Range: bytes 100-199/200``."""
    return (response.getheader("Content-Range") or "").startswith(f"bytes {at}-")


def _want_room(folder: Path, size: int) -> None:
    """Raises NoPhotosNow where so many bytes more would leave too little free."""
    if shutil.disk_usage(folder).free < size + LEAST_ROOM:
        raise NoPhotosNow(f"the disk that {folder} is on is full", "make room there")


@contextmanager
def _alone(path: Path) -> Iterator[Path]:
    """The hidden name that a file has while it comes, held by one thread of one process."""
    part = path.with_name(f".{path.name}.part")
    handle = open_own(part, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        flock(handle, fcntl.LOCK_EX, part)
        if not part.exists():
            # Whoever held it before gave it its name; then there is nothing to do, else it begins anew.
            os.close(open_own(part, os.O_WRONLY | os.O_CREAT, 0o600))
        yield part
        if path.exists():
            part.unlink(missing_ok=True)
    finally:
        os.close(handle)
