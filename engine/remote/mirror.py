"""The log of a run on another machine, taken into the run's log here: no line twice, none lost.

Each line that was taken has ``at``, the place where it ended in the log there; so what was taken already is told by
the log here alone, whatever was killed in between. Checkpoints and samples count once their files are here: their lines
wait for them, and others go on.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import events
from engine.jobs.folder import AT_ONCE, JobFolder
from engine.storage.untrusted_files import parse_json

AT = "at"
"""The field of a line here that says where it ended there."""

_FILES: dict[str, re.Pattern[str]] = {
    "checkpoint": re.compile(r"checkpoints/[A-Za-z0-9][\w.-]{0,150}\.safetensors", re.ASCII),
    "sample": re.compile(r"samples/[A-Za-z0-9][\w.-]{0,150}\.png", re.ASCII),
}
"""Where in a run's folder the files lie that its events tell of: nowhere else may one go."""


@dataclass(frozen=True)
class Told:
    """A line of the log there."""

    at: int
    """Where it ends there, in bytes."""
    record: dict[str, Any]
    event: events.Event

    @property
    def file(self) -> str | None:
        """The file that must be here first, in the run's folder; None: none."""
        pattern = _FILES.get(self.event.kind)
        path = self.record.get("path")
        if pattern is None or not isinstance(path, str) or not pattern.fullmatch(path):
            return None
        return path

    @property
    def is_strange(self) -> bool:
        """Whether it tells of a file where none of a run's can lie."""
        return self.event.kind in _FILES and self.file is None

    def line(self, ahead: float = 0.0) -> str:
        """As the log here has it.

        Args:
            ahead: seconds that the clock there is ahead of this machine's, by which both write the log's times.
        """
        t = self.record.get("t")
        by_our_clock = {"t": t - ahead} if ahead and isinstance(t, int | float) else {}
        return json.dumps({**self.record, **by_our_clock, AT: self.at}, ensure_ascii=False, separators=(",", ":"))


class Mirror:
    """What of the log there is here.

    Args:
        job: the run's folder here.
    """

    def __init__(self, job: JobFolder) -> None:
        self._taken = taken_in(job.events_path)
        self._rest = b""
        self.offset = 0
        """Where the next bytes begin, in the log there."""

    def begin(self) -> int:
        """Where to read the log there from: all of it again where lines wait for their files, which costs little."""
        self._rest, self.offset = b"", 0
        return self.offset

    def took(self, told: Told) -> None:
        """A line is in the log here now."""
        self._taken.add(told.at)

    def feed(self, data: bytes) -> list[Told]:
        """The new lines that came whole and were not taken yet; what can't be read is passed over."""
        self._rest += data
        found = []
        while (end := self._rest.find(b"\n")) >= 0:
            line, self._rest = self._rest[:end], self._rest[end + 1 :]
            self.offset += end + 1
            if self.offset not in self._taken and (told := _read(line, self.offset)) is not None:
                found.append(told)
        if len(self._rest) > AT_ONCE:
            # No line of ours is as long.
            self.offset += len(self._rest)
            self._rest = b""
        return found


def taken_in(log: Path) -> set[int]:
    """Where the lines ended that a log here has from there."""
    found: set[int] = set()
    try:
        with log.open("rb") as file:
            for line in file:
                if b'"at":' not in line:
                    continue
                try:
                    at = parse_json(line.decode("utf-8")).get(AT)
                except (ValueError, AttributeError):
                    continue
                if isinstance(at, int):
                    found.add(at)
    except FileNotFoundError:
        pass
    return found


def _read(line: bytes, at: int) -> Told | None:
    """A line; None where it is none of an event log's."""
    try:
        text = line.decode("utf-8")
        record = parse_json(text)
    except ValueError:
        return None
    entry = events.from_line(text)
    if entry is None or not isinstance(record, dict):
        return None
    return Told(at, {key: value for key, value in record.items() if key != AT}, entry.event)
