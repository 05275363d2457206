"""Limner on another machine, by its own commands: a project is opened there, a run begun, asked and looked at."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.events import JobState
from engine.jobs.folder import Request
from engine.remote.boxes import Box, RemoteError
from engine.remote.ssh import SECONDS, Answer, Ssh
from engine.storage.untrusted_files import parse_json

MARK, OPENED = ".limner-sent", ".limner-opened"
"""Files in the folder that was made there: whose it is, so that only such a folder is ever removed; and that its
project is whole."""

LARGEST = 20_000_000_000
"""Bytes of one file that is fetched, at most."""

ALIKE_SECONDS = 5.0
"""Two clocks that are no farther apart are alike."""

ASKED: Mapping[Request, tuple[str, ...]] = {
    Request.PAUSE: ("pause",),
    Request.RESUME: ("resume",),
    Request.SAMPLE: ("sample",),
    Request.STOP: ("stop",),
    Request.STOP_AFTER_EPOCH: ("stop", "--after-epoch"),
}
"""What is asked of a run here, as a command there."""

_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class RunThere:
    """A run as the machine there lists it."""

    id: str
    path: str
    """Its folder there, absolute."""
    state: JobState
    finished: bool
    """Whether it did all that it was to do."""


@dataclass(frozen=True)
class FileThere:
    """A file that is to be fetched."""

    path: str
    size: int
    digest: str
    """Its SHA-256."""


class LimnerThere:
    """A project on another machine, in a folder of its own there.

    Args:
        box: the machine.
        folder: the folder there; nobody else's.
        token: what stands in its mark.
    """

    def __init__(self, box: Box, folder: str, token: str) -> None:
        self.ssh, self.folder, self._token = Ssh(box), folder, token
        self.project, self.bundle = f"{folder}/project", f"{folder}/project.limner"
        self.weights = f"{folder}/start-from.safetensors"
        """Where the LoRA lies there that a run goes on from."""
        self._program = shlex.split(box.program)

    def make_folder(self) -> None:
        """Makes the folder and marks it. Raises RemoteError where it is somebody else's."""
        mark = shlex.quote(f"{self.folder}/{MARK}")
        made = f"mkdir -p -m 700 -- {shlex.quote(self.folder)} && [ -e {mark} ] || cat > {mark}"
        self._must(self.ssh.shell(made, stdin=self._token.encode()), "make a folder")
        if not self.is_ours():
            raise RemoteError(f"{self.folder} on {self.ssh.box.name} is not this run's", "start the run anew")

    def full_path(self, path: str) -> str:
        """A path there, absolute. Raises RemoteError where nothing is there."""
        found = self._must(self.ssh.run(["realpath", "-e", "--", path], most=10_000), "find a file").text.rstrip("\n")
        if not (found.startswith("/") and found.isprintable()):
            raise RemoteError(f"{self.ssh.box.name} tells of a file what can't be", "look at what answers there")
        return found

    def is_ours(self) -> bool:
        """Whether the folder is there and marked as this run's."""
        found = self.ssh.run(["cat", "--", f"{self.folder}/{MARK}"], most=1000)
        return found.code == 0 and found.text == self._token

    def is_open(self) -> bool:
        """Whether the project is there and whole."""
        return self.ssh.run(["test", "-e", f"{self.folder}/{OPENED}"]).code == 0

    def open_bundle(self) -> None:
        """Makes the project of the bundle that was sent; one that was begun and not ended is made anew.

        Raises:
            RemoteError: the folder is not ours, or it can't be opened.
        """
        if not self.is_ours():
            raise RemoteError(f"{self.folder} on {self.ssh.box.name} is not this run's", "start the run anew")
        self._must(self.ssh.run(["rm", "-rf", "--", self.project]), "begin anew")
        self._ask(["unbundle", self.bundle, self.project])
        done = [shlex.join(["touch", "--", f"{self.folder}/{OPENED}"]), shlex.join(["rm", "-f", "--", self.bundle])]
        self._must(self.ssh.shell(" && ".join(done)), "open the project")

    def begin(self, changes: Mapping[str, Any], hub_token: str | None = None) -> RunThere:
        """Begins a run; where one was begun already, it is that one: a lost answer begins no second.

        Args:
            changes: dotted settings for this run alone.
            hub_token: what a hub's model is fetched with that is not open to everybody; it goes by standard input.

        Raises:
            BoxUnreachable: nobody knows whether it was begun; asking again tells.
            RemoteError: it can't begin there, in its own words.
        """
        if (there := self.newest()) is not None:
            return there
        self._start(["train", *as_options(changes)], hub_token)
        there = self.newest()
        if there is None:
            raise RemoteError(f"{self.ssh.box.name} began no run", "look there: limner runs")
        return there

    def clock_ahead(self) -> float:
        """Seconds that its clock is ahead of this machine's; 0 where the way there may be the difference."""
        before = time.time()
        said = self.ssh.run(["date", "+%s"], most=1000).text.strip()
        after = time.time()
        if not (said.isascii() and said.isdigit() and len(said) < 12):
            return 0.0
        ahead = int(said) - (before + after) / 2
        return ahead if abs(ahead) > after - before + ALIKE_SECONDS else 0.0

    def ask(self, words: Sequence[str], seconds: float = SECONDS) -> Answer:
        """Has Limner there do something in the project. Raises BoxUnreachable, or RemoteError with its own words."""
        return self._ask(["-C", self.project, *words], seconds)

    def newest(self) -> RunThere | None:
        """The project's last run there; None where there is none."""
        record = document_in(self.ask(["runs", "--json"]))
        runs = record.get("runs") if isinstance(record, dict) else None
        if not isinstance(runs, list):
            raise RemoteError(f"{self.ssh.box.name} lists no runs", "its Limner may be older: limner remote check")
        return self._read(runs[0]) if runs else None

    def _read(self, record: Any) -> RunThere:
        try:
            name, path, state = record["id"], record["path"], JobState(record["state"])
            if not (
                isinstance(name, str) and _RUN.fullmatch(name) and isinstance(path, str) and path.endswith(f"/{name}")
            ):
                raise ValueError(name)
            return RunThere(name, path, state, state is JobState.DONE and record.get("reason") is None)
        except (KeyError, TypeError, ValueError) as error:
            raise RemoteError(
                f"{self.ssh.box.name} tells of a run what can't be", "look at what answers there"
            ) from error

    def resume(self, run: RunThere, hub_token: str | None = None) -> None:
        """Has a run go on that was stopped or died. Raises RemoteError."""
        self._start(["resume", run.id], hub_token)

    def _start(self, words: Sequence[str], hub_token: str | None) -> None:
        """Starts a job there, with the token in its environment where there is one: in no argument and no file."""
        if hub_token is None:
            self.ask(words)
            return
        command = shlex.join([*self._program, "-C", self.project, *words])
        line = f"read -r HF_TOKEN && export HF_TOKEN && exec {command}"
        self._must(self.ssh.shell(line, stdin=f"{hub_token}\n".encode()), f"limner {words[0]}")

    def request(self, request: Request, run: RunThere) -> None:
        """Asks something of a run. Raises RemoteError where it can't be done, as where the run has ended."""
        command, *options = ASKED[request]
        self.ask([command, run.id, *options])

    def file(self, path: str) -> FileThere | None:
        """What a file of a run is; None where it is not there (any more)."""
        quoted = shlex.quote(path)
        found = self.ssh.shell(f"stat -c %s -- {quoted} && sha256sum -- {quoted}", most=10_000, seconds=600)
        if found.code:
            return None
        size, _, rest = found.text.partition("\n")
        digest = rest.lstrip("\\")[:64]
        if not (size.isdigit() and len(size) < 15 and int(size) <= LARGEST and _DIGEST.fullmatch(digest)):
            raise RemoteError(f"{self.ssh.box.name} tells of a file what can't be", "look at what answers there")
        return FileThere(path, int(size), digest)

    def remove(self) -> bool:
        """Removes the folder there, where it is marked as ours. Whether it was there."""
        if not self.is_ours():
            return False
        self._must(self.ssh.run(["rm", "-rf", "--", self.folder]), "remove the folder")
        return True

    def _ask(self, words: Sequence[str], seconds: float = SECONDS) -> Answer:
        """Runs a command of Limner's there. Raises RemoteError with its own words."""
        command = words[2] if words[0] == "-C" else words[0]
        return self._must(self.ssh.run([*self._program, *words], seconds=seconds), f"limner {command}")

    def _must(self, answer: Answer, what: str) -> Answer:
        if answer.code:
            why = answer.last_words.removeprefix("limner: ")
            raise RemoteError(f"{self.ssh.box.name}: {what}: {why}", "see: limner remote check " + self.ssh.box.name)
        return answer


def as_options(changes: Mapping[str, Any]) -> list[str]:
    """Settings as options of a command."""
    return [word for key, value in changes.items() for word in ("--set", f"{key}={_as_toml(value)}")]


def document_in(answer: Answer) -> Any:
    """The JSON document that a command printed. Raises RemoteError where it is none."""
    try:
        return parse_json(answer.text)
    except ValueError as error:
        raise RemoteError("what answers there is no Limner of today", "see: limner remote check") from error


def _as_toml(value: Any) -> str:
    """A setting's value as ``--set`` reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_as_toml, value))}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    return str(value)
