"""Opening a bundle that anybody may have made: every file is looked at before a byte of it is written.

Only plain files are taken, only where they belong, each name once, no more of them and no more bytes than the bundle
says it has and the disk has room for. Python's own filter for archives (PEP 706) is asked as well. All of it is written
into a hidden folder first; whoever asks moves it from there once its checksums are right.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from engine.bundle.contents import (
    A_FILE,
    A_SUM,
    ABOUT,
    CHECKSUMS,
    LARGEST_ABOUT,
    About,
    BundleError,
    BundleKind,
    checked_name,
    no_bundle,
    read_about,
)
from engine.bundle.packing import CHUNK, Tell
from engine.storage.os_errors import is_no_room
from engine.storage.untrusted_files import parse_json

LARGEST_READ = 1 << 20
"""Bytes that a tar may make us read at once."""

A_HEADER = 3 * 512 + A_FILE
"""Bytes of headers that may stand before one file: its own, and those that tell a long name."""

MOST_LETTERS = 50_000_000
"""Letters of all names together: each is kept until its checksum was compared."""

SPARE = 100_000_000
"""Bytes that stay free on the disk."""


def about_bundle(path: Path) -> About:
    """What a bundle says of itself. Raises BundleError where it is none."""
    with _opened(path) as tar:
        return _first(tar)


@contextlib.contextmanager
def staged(path: Path, stage: Path, tell: Tell) -> Iterator[About]:
    """The files of a bundle, whole and proven, in a hidden folder; what is still there after the ``with`` goes.

    Raises:
        BundleError: it is no bundle, damaged, cut off or hostile, or there is no room for it.
    """
    try:
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True, mode=0o700)
        yield _stage(path, stage, tell)
    except OSError as error:
        fix = "make room there" if is_no_room(error) else "see that it can be written, or choose another folder"
        raise BundleError(f"{error.filename or stage} can't be written ({error.strerror})", fix) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _stage(path: Path, stage: Path, tell: Tell) -> About:
    with _opened(path) as tar:
        about = _first(tar)
        if shutil.disk_usage(stage).free < about.bytes + SPARE:
            raise BundleError(f"the bundle holds {about.bytes / 1e9:.1f} GB, more than {stage.parent} has room for")
        sums: dict[str, str] = {}
        done = letters = 0
        told: dict[str, Any] | None = None
        while (member := _next(tar)) is not None:
            if told is not None:
                raise BundleError("the bundle has data after its end", "don't trust its sender")
            if member.name == CHECKSUMS:
                told = _record(tar, member, LARGEST_ABOUT + 2 * letters + len(sums) * A_SUM)
                continue
            done += member.size
            letters += len(member.name.encode("utf-8", "replace"))
            if len(sums) >= about.files or done > about.bytes or member.size < 0 or letters > MOST_LETTERS:
                raise BundleError("the bundle holds more than it declares", "don't trust its sender")
            sums[member.name] = _take(tar, member, stage, about.kind)
            tell(done, about.bytes)
        if told is None or len(sums) != about.files:
            raise _cut_off(path)
        if told != sums:
            raise BundleError(f"{path} is damaged (a checksum differs)", "copy it again")
        return about


def _first(tar: tarfile.TarFile) -> About:
    member = tar.next()
    if member is None or member.name != ABOUT:
        raise no_bundle()
    return read_about(_data(tar, member, LARGEST_ABOUT))


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    """The next member. Nothing is kept of the one before, and nothing is told for all that follow."""
    # Each keeps all that its header said.
    tar.members.clear()  # type: ignore[attr-defined]
    _source(tar).headers = A_HEADER
    member = tar.next()
    if tar.pax_headers:
        raise BundleError("the bundle holds headers for all of its files", "don't trust its sender")
    return member


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, stage: Path, kind: BundleKind) -> str:
    """Writes one file and returns its SHA-256."""
    if not member.isreg() or member.issparse():
        raise BundleError(
            f"the bundle holds something that is not a plain file ({member.name[:80]!r})", "don't trust its sender"
        )
    place = checked_name(member.name, kind)
    if hasattr(tarfile, "data_filter"):
        tarfile.data_filter(member, str(stage))
    target = stage / place
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (FileExistsError, NotADirectoryError) as error:
        what = f"the bundle holds a file where a folder belongs ({member.name[:80]!r})"
        raise BundleError(what, "don't trust its sender") from error
    source = tar.extractfile(member)
    assert source is not None
    digest = hashlib.sha256()
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise BundleError(f"the bundle holds {member.name[:80]!r} twice", "don't trust its sender") from error
    with os.fdopen(handle, "wb") as file, _source(tar).data():
        left = member.size
        while left and (chunk := source.read(min(CHUNK, left))):
            digest.update(chunk)
            file.write(chunk)
            left -= len(chunk)
        if left:
            raise EOFError
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _record(tar: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> dict[str, Any]:
    try:
        record = parse_json(_data(tar, member, most))
    except (ValueError, RecursionError) as error:
        raise no_bundle() from error
    if not isinstance(record, dict):
        raise no_bundle()
    return record


def _data(tar: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> bytes:
    if not member.isreg() or member.issparse() or not 0 <= member.size <= most:
        raise no_bundle()
    file = tar.extractfile(member)
    with _source(tar).data():
        return b"".join(iter(lambda: file.read(CHUNK), b"")) if file is not None else b""


def _source(tar: tarfile.TarFile) -> _Bounded:
    source: Any = tar.fileobj
    assert isinstance(source, _Bounded)
    return source


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The tar inside; everything that reading one can raise becomes one line."""
    try:
        with (
            gzip.open(path, "rb") as packed,
            tarfile.open(fileobj=_Bounded(packed), mode="r:", errorlevel=2) as tar,  # type: ignore[call-overload]
        ):
            yield tar
    except FileNotFoundError as error:
        if error.filename == str(path) or error.filename == path:
            raise BundleError(f"there is no {path}", "name the file that limner bundle made") from error
        raise
    except PermissionError as error:
        raise BundleError(f"{error.filename or path} may not be read or written", "check who owns it") from error
    except gzip.BadGzipFile as error:
        raise no_bundle() from error
    except EOFError as error:
        raise _cut_off(path) from error
    except IsADirectoryError as error:
        raise no_bundle() from error
    except (tarfile.TarError, zlib.error, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, tarfile.ReadError) and "unexpected end" in str(error):
            raise _cut_off(path) from error
        raise BundleError(f"{path} is damaged, or not a Limner bundle ({error})", "copy it again") from error


def _cut_off(path: Path) -> BundleError:
    return BundleError(f"{path} is cut off", "copy it again; rsync --partial resumes")


class _Bounded:
    """A file whose headers can't fill the memory: tarfile reads a header's tail in one go, follows one header to the
    next, copies for each what all before it said, and keeps it."""

    def __init__(self, file: BinaryIO | gzip.GzipFile) -> None:
        self._file = file
        self._in_header = True
        self.headers = A_HEADER
        """Bytes of headers that may still come before the next file."""

    def read(self, size: int = -1) -> bytes:
        """At most ``LARGEST_READ`` bytes; of headers no more than are left."""
        if self._in_header:
            self.headers -= size
        if not 0 <= size <= LARGEST_READ or self.headers < 0:
            raise BundleError("the bundle's list of files is absurdly large", "don't trust its sender")
        return self._file.read(size)

    @contextlib.contextmanager
    def data(self) -> Iterator[None]:
        """What is read meanwhile is a file's own."""
        self._in_header = False
        try:
            yield
        finally:
            self._in_header = True

    def seek(self, to: int, whence: int = os.SEEK_SET) -> int:
        """Onwards; what is between is read and forgotten."""
        return self._file.seek(to, whence)

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self._file.tell()
