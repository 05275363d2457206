"""Writing a bundle: one file, whole or not there at all, readable by its owner alone."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from engine.bundle.contents import ABOUT, CHECKSUMS, About, BundleError, BundleKind, Member, as_json, checked_name
from engine.storage.own_files import open_own

CHUNK = 1 << 20

COMPRESSION = 1
"""PNG and safetensors hardly get smaller; more effort would only take longer."""

Tell = Callable[[int, int], None]
"""Gets bytes done and bytes in all."""


def pack(path: Path, kind: BundleKind, members: Sequence[Member], trigger: str, tell: Tell) -> About:
    """Writes a bundle.

    Args:
        path: where; nothing is there yet.
        kind: what it carries.
        members: its files.
        trigger: the person's word.
        tell: how far it is.

    Raises:
        BundleError: there is something at that path, it can't be written, or a file changed while it was read.
    """
    for member in members:
        checked_name(member.name, kind)
    if path.exists():
        raise BundleError(f"{path} is there already", "name another file with -o, or remove it")
    about = About(kind, len(members), sum(member.size for member in members), trigger)
    part = path.with_name(f".{path.name}.part")
    try:
        handle = open_own(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            _write(file, about, members, tell)
            file.flush()
            os.fsync(file.fileno())
        # A link is refused where a file has come there meanwhile; a rename would replace it.
        os.link(part, path)
    except FileExistsError as error:
        raise BundleError(f"{path} is there already", "name another file with -o, or remove it") from error
    except OSError as error:
        where = error.filename or path
        raise BundleError(
            f"{where} can't be read or written ({error.strerror})", "check the free disk space"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return about


def _write(file: BinaryIO, about: About, members: Sequence[Member], tell: Tell) -> None:
    checksums: dict[str, str] = {}
    done = 0
    with (
        gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        _add(tar, ABOUT, as_json(about.record()))
        for member in members:
            before = done

            def more(count: int, before: int = before) -> None:
                tell(before + count, about.bytes)

            checksums[member.name] = _add(tar, member.name, member.source, more)
            done += member.size
        _add(tar, CHECKSUMS, as_json(checksums))
    tell(about.bytes, about.bytes)


def _add(
    tar: tarfile.TarFile, name: str, source: Path | bytes, tell: Callable[[int], None] = lambda _done: None
) -> str:
    """Puts a file in, with nothing of its owner, and returns its SHA-256."""
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as data:
        info = tarfile.TarInfo(name)
        info.size = data.seek(0, os.SEEK_END)
        info.mode = 0o600
        data.seek(0)
        reader = _Counting(data, tell)
        tar.addfile(info, reader)
        return reader.digest.hexdigest()


class _Counting(io.RawIOBase):
    """A file that is read once, its checksum made as it passes."""

    def __init__(self, file: BinaryIO, tell: Callable[[int], None]) -> None:
        self._file, self._tell = file, tell
        self._done = 0
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Some bytes."""
        data = self._file.read(size)
        self.digest.update(data)
        self._done += len(data)
        if self._done % CHUNK < len(data):
            self._tell(self._done)
        return data
