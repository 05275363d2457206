"""A job's folder: its order, its log, its lock and what it is asked."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine import events
from engine.errors import JobError
from engine.secrets import without_secrets
from engine.storage.atomic_files import write_text
from engine.storage.liveness_locks import is_held_alone
from engine.storage.os_errors import explained
from engine.storage.own_files import NotOurs, open_own
from engine.storage.untrusted_files import read_json

ORDER_NAME = "job.json"
"""The file in a job's folder that says what the job is to do."""

LAST_WORDS_BYTES = 16 << 10
"""Room for a job's last events, kept while it runs."""


NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENOTCONN, errno.EIO, errno.ETIMEDOUT})
"""What reading says of a file that is not there, or of a mount that has lost its other end."""

AT_ONCE = 8_000_000
"""Bytes of a log that are held at a time; a line that is longer is passed over."""

KEPT_BYTES = 200
"""How much of what was read last tells a log from another."""


def this_machine() -> str:
    """The name of this machine, as its logs carry it."""
    return os.uname().nodename


class JobKind(StrEnum):
    """The kinds of long work."""

    SCAN = "scan"
    MEASURE = "measure"
    CAPTION = "caption"
    TRAIN = "train"
    TRAIN_REMOTE = "train-remote"
    TRAIN_RENTED = "train-rented"
    PROBE = "probe"
    PAINT = "paint"
    PAINT_REMOTE = "paint-remote"
    LIKENESS = "likeness"


ELSEWHERE = frozenset({JobKind.TRAIN_REMOTE, JobKind.TRAIN_RENTED})
"""Jobs that follow what is done on another machine."""


class Request(StrEnum):
    """What a job can be asked while it runs."""

    STOP = "stop"
    STOP_AFTER_EPOCH = "stop-after-epoch"
    PAUSE = "pause"
    RESUME = "resume"
    SAMPLE = "sample"


@dataclass(frozen=True)
class Order:
    """What a job was started to do: its kind, the project's folder and plain JSON arguments."""

    kind: JobKind
    project: Path
    args: dict[str, Any]


@dataclass(frozen=True)
class JobFolder:
    """The folder of one job. Making this object touches nothing on disk."""

    path: Path

    @property
    def id(self) -> str:
        """The folder's name, which names the job."""
        return self.path.name

    @property
    def events_path(self) -> Path:
        """The event log."""
        return self.path / "events.jsonl"

    @property
    def log_path(self) -> Path:
        """What the process printed."""
        return self.path / "worker.log"

    @property
    def lock_path(self) -> Path:
        """Locked for as long as the job's process lives."""
        return self.path / "lock"

    @property
    def _requests(self) -> Path:
        return self.path / "requests"

    def write_order(self, order: Order) -> None:
        """Makes the folder and writes what the job is to do."""
        self.path.mkdir(parents=True, exist_ok=True)
        record = {"kind": order.kind, "project": str(order.project), "args": order.args}
        write_text(self.path / ORDER_NAME, json.dumps(record, indent=1, ensure_ascii=False) + "\n")

    def read_order(self) -> Order:
        """Reads what the job is to do.

        Raises:
            JobError: the folder holds no readable order.
        """
        try:
            record = read_json(self.path / ORDER_NAME)
            return Order(JobKind(record["kind"]), Path(record["project"]), dict(record["args"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise JobError(f"{self.path} is not a job's folder", "give the folder of a run") from error

    def sent_to(self) -> str | None:
        """The machine that the work was sent to: of the user's own list, or rented; None: it is done here, or nobody
        can tell."""
        try:
            order = self.read_order()
        except JobError:
            return None
        on = order.args.get("on")
        name = on.get("box") if order.kind in ELSEWHERE and isinstance(on, dict) else None
        return name if isinstance(name, str) else None

    def alive(self) -> bool:
        """Whether the job's process lives, told by the lock that it holds (so a reused pid can't lie)."""
        try:
            handle = open_own(self.lock_path, os.O_RDWR)
        except (OSError, NotOurs):
            return False
        try:
            return is_held_alone(handle)
        finally:
            os.close(handle)

    def ask(self, request: Request) -> None:
        """Leaves a request for the job; asking twice is asking once."""
        self._requests.mkdir(parents=True, exist_ok=True)
        os.close(open_own(self._requests / request, os.O_WRONLY | os.O_CREAT))

    def asked(self) -> frozenset[Request]:
        """What the job is asked at present; the requests stay until ``answered``."""
        try:
            names = os.listdir(self._requests)
        except FileNotFoundError:
            return frozenset()
        return frozenset(request for request in Request if request.value in names)

    def answered(self, *requests: Request) -> None:
        """Takes requests away that were followed."""
        for request in requests:
            (self._requests / request).unlink(missing_ok=True)

    def entries(self) -> Iterator[events.Entry]:
        """Every whole entry of the log so far, from its beginning."""
        yield from EventTail(self.events_path).read()


class EventTail:
    """Reads an event log as it grows: each call gives the entries that came since the last.

    It is told apart by what stands before the place that was read to, not by its inode: a log that a copying program
    puts anew into its place goes on, one that was cut off or begun anew is read from its beginning.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._before = b""
        self._within = False
        """Whether the place lies in a line that is passed over."""
        self.begun_anew = 0
        """How often the log turned out to be another one, so that all that was read of it is void."""

    def read(self) -> Iterator[events.Entry]:
        """The new whole lines as entries, some at a time; a torn last line waits for its end.

        Raises:
            OSError: the log is there and can't be read. A mount that is gone for now has nothing new.
        """
        while whole := self._next():
            yield from events.from_lines([line.decode("utf-8", "replace") for line in whole.splitlines()])

    def _next(self) -> bytes:
        """Some whole lines that are new, or what ends one that is passed over; empty where there are none yet."""
        try:
            with self._path.open("rb") as log:
                log.seek(self._offset - len(self._before))
                if log.read(len(self._before)) != self._before:
                    log.seek(0)
                    self._offset, self._before, self._within = 0, b"", False
                    self.begun_anew += 1
                data = log.read(AT_ONCE)
        except OSError as error:
            if error.errno in NOT_THERE:
                return b""
            raise
        whole = data[: data.rfind(b"\n") + 1]
        endless = not whole and len(data) == AT_ONCE
        taken = data if endless else whole
        self._offset += len(taken)
        self._before = (self._before + taken[-KEPT_BYTES:])[-KEPT_BYTES:]
        if endless or self._within:
            taken = b"\n" if endless else taken[taken.find(b"\n") :]
        self._within = endless or (self._within and not whole)
        return taken


class EventLog:
    """Appends events to a log; each line is written by one call, whole or not at all.

    A little room is kept beside the log, so that a job that meets a full disk can still say so.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._room = path.with_name(f".{path.name}.room")
        self._handle = open_own(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            self._mend_torn_end()
        except BaseException:
            os.close(self._handle)
            raise

    def keep_room(self) -> None:
        """Sets room aside for the last words. Raises DiskFull where there is none."""
        with explained(self._path):
            handle = open_own(self._room, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            try:
                os.posix_fallocate(handle, 0, LAST_WORDS_BYTES)
            finally:
                os.close(handle)

    def emit(self, event: events.Event) -> None:
        """Appends one event, stamped with the time now. Raises DiskFull where it can't be written whole."""
        with explained(self._path):
            self._append(without_secrets(events.to_line(event)).encode("utf-8"))

    def relay(self, line: str) -> None:
        """Appends a line that another log had, as it is. Raises DiskFull where it can't be written whole."""
        with explained(self._path):
            self._append(without_secrets(line.rstrip("\n") + "\n").encode("utf-8"))

    def emit_last(self, event: events.Event) -> None:
        """As ``emit``, into the room that was kept for it and is given back."""
        self._room.unlink(missing_ok=True)
        self.emit(event)

    def close(self) -> None:
        """Closes the log; nothing was held back."""
        os.close(self._handle)

    def _append(self, line: bytes) -> None:
        written = 0
        try:
            while written < len(line):
                written += os.write(self._handle, line[written:])
        except OSError:
            # A disk that fills up takes the beginning of a line: it goes again.
            if written:
                os.ftruncate(self._handle, os.fstat(self._handle).st_size - written)
            raise

    def _mend_torn_end(self) -> None:
        """A killed writer may have left half a line: end it, so that the next one stands alone."""
        size = os.fstat(self._handle).st_size
        if size and os.pread(self._handle, 1, size - 1) != b"\n":
            os.write(self._handle, b"\n")
