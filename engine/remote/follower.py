"""The job that follows a run on another machine, in the run's own folder here.

It sends the project there, begins the run, takes its log and files home, passes on what is asked, and removes the
project there at the end. It can be killed at any instant, and so can the line: begun again, it finds out from the
machine there and from the log here what is still to do. The run there goes on meanwhile.
"""

from __future__ import annotations

import os
import queue
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from engine import events
from engine.bundle.bundle import bundle_project
from engine.errors import DiskFull, JobError, LimnerError
from engine.events import JobState
from engine.jobs.start import HUB_TOKENS
from engine.jobs.worker import Context
from engine.lora.header import read_header
from engine.project import Project
from engine.remote.boxes import Box, RemoteError, box_named
from engine.remote.limner_there import ASKED, LimnerThere, RunThere
from engine.remote.mirror import Mirror, Told, taken_in
from engine.remote.ssh import BoxUnreachable, end
from engine.secrets import register_secret
from engine.security.private_files import for_a_header

LOOK_SECONDS = 0.2
"""How often it looks what was asked, and what came."""

WAITS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before the next try after a line was cut; the last holds from then on."""

SILENT_SECONDS = 20.0
"""After so long without a line of the log the machine is asked whether the run's process lives."""

SPARE_BYTES = 500_000_000
"""That stay free on the disk here."""

TRIES = 3
"""How often a file is fetched that is not what it was said to be."""


class Machine(Protocol):
    """Where a run goes: one of the user's own machines, or one that is rented for it."""

    name: str

    def box(self) -> Box:
        """The machine, ready to be asked. Raises BoxUnreachable where trying again may help, or LimnerError."""

    def settings(self) -> Mapping[str, Any]:
        """Dotted settings that a run there has besides its own."""

    def look(self, lost: bool) -> None:
        """Called every now and then while the run is followed, or while the line is cut (``lost``).

        Raises:
            RemoteError: the machine is gone for good.
        """

    def known_end(self) -> events.Job | None:
        """How the run ended, where an earlier process got so far and only the machine is still to be left."""

    def leave(self, there: LimnerThere | None, ended: events.Job) -> None:
        """All of the run is here. ``there`` is None where its end was known already."""

    def give_up(self, error: LimnerError) -> None:
        """The run can't be followed any more."""


class OwnMachine:
    """A machine of the user's own list.

    Args:
        context: the job.
    """

    def __init__(self, context: Context) -> None:
        on = context.args["on"]
        self._context, self._keep = context, bool(on.get("keep"))
        self.name = str(on["box"])

    def box(self) -> Box:
        """As the list has it now."""
        return box_named(self.name)

    def settings(self) -> Mapping[str, Any]:
        """None."""
        return {}

    def look(self, lost: bool) -> None:
        """It is the user's to look after."""

    def known_end(self) -> events.Job | None:
        """It is looked up there."""
        return None

    def leave(self, there: LimnerThere | None, ended: events.Job) -> None:
        """Removes the project there, unless it is to stay or the run can go on from it."""
        finished = ended.state is JobState.DONE and ended.reason is None
        if not finished:
            resume = f"limner resume {self._context.folder.id}"
            self._context.emit(events.Warning(f"what the run can go on from stays on {self.name}: {resume}"))
        elif not self._keep and there is not None:
            try:
                there.remove()
            except RemoteError as error:
                self._context.emit(events.Warning(f"the project stays on {self.name}: {error.what}", ""))

    def give_up(self, error: LimnerError) -> None:
        """The run there goes on, and can be followed again."""


def work(context: Context) -> None:
    """Follows the run to its end. Raises what ended it there, in the words of there."""
    end_at_signals()
    Follower(context, OwnMachine(context)).follow()


def end_at_signals() -> None:
    """A follower that is asked to end does so at once: the run goes on, and another follower takes it up again."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))


def hub_token() -> str | None:
    """The token that a hub's model is fetched with; a job has it where its base model is a hub's."""
    found = next((os.environ[name] for name in sorted(HUB_TOKENS) if os.environ.get(name)), None)
    register_secret(found)
    return for_a_header(found, "the hub's token", RemoteError)


class Follower:
    """One run on another machine.

    Args:
        context: the job; its order's ``on`` says which folder there.
        machine: where the run goes.
    """

    def __init__(self, context: Context, machine: Machine) -> None:
        self._context, self._project, self._machine = context, Project(context.project), machine
        on = context.args["on"]
        self._folder = str(on["folder"])
        self._changes = dict(context.args.get("changes") or {})
        weights = on.get("weights")
        self._weights = Path(str(weights)) if weights else None
        """The LoRA that the run goes on from."""
        self._there: LimnerThere | None = None
        self._run: RunThere | None = None
        self._cut = 0

    def follow(self) -> None:
        """To the end, whatever the line does."""
        try:
            ended = self._machine.known_end() or self._to_the_end()
        except DiskFull:
            # What is not here yet is still there.
            raise
        except LimnerError as error:
            self._machine.give_up(error)
            raise
        self._machine.leave(self._there, ended)
        if ended.state is JobState.FAILED:
            raise JobError(f"{self._machine.name}: {ended.reason or 'the run failed'}", "")
        self._context.reason = ended.reason

    def _to_the_end(self) -> events.Job:
        while True:
            try:
                return self._once()
            except BoxUnreachable as error:
                self._wait(error)

    def _once(self) -> events.Job:
        """All that is to do while the line holds. Returns the run's last word."""
        self._there = LimnerThere(self._machine.box(), self._folder, self._context.folder.id)
        run = self._begun(self._there)
        self._run = run
        self._cut = 0
        return _Following(self._context, self._machine, self._there, run).to_the_end()

    def _begun(self, there: LimnerThere) -> RunThere:
        """The run there: found, or sent and begun; one that died or was stopped there goes on."""
        if taken_in(self._context.folder.events_path) and not there.is_ours():
            # Begun anew there, its log would be taken for the one that is half here.
            what = f"{self._machine.name} no longer has the run: its folder there is gone"
            raise RemoteError(what, f"what came home is whole; begin a new one: limner train --on {self._machine.name}")
        there.make_folder()
        if not there.is_open():
            self._phase("sending the dataset", 0, 1)
            with tempfile.TemporaryDirectory(prefix="limner-") as folder:
                bundle = Path(folder) / "project.limner"
                bundle_project(self._project, bundle)
                there.ssh.send(bundle, there.bundle, lambda done, all_: self._phase("sending the dataset", done, all_))
            if self._weights is not None:
                self._phase(f"sending {self._weights.name}", 0, 1)
                there.ssh.send(self._weights, there.weights)
            there.open_bundle()
        run = there.newest()
        if run is None:
            self._phase(f"starting on {self._machine.name}", 0, 1)
            return there.begin({**self._changes, **self._start_from(there), **self._machine.settings()}, hub_token())
        if run.state.ended and not run.finished and self._run is None:
            there.resume(run, hub_token())
        return run

    def _start_from(self, there: LimnerThere) -> dict[str, str]:
        """The setting by which the run there goes on from the LoRA that was sent."""
        if self._weights is None:
            return {}
        return {"training.network_weights": there.full_path(there.weights)}

    def _wait(self, error: BoxUnreachable) -> None:
        """Tells once that the line is cut, and rests before the next try. Raises RemoteError where it is to stop."""
        if not self._cut:
            self._context.emit(events.Warning(f"{error.what}; it is tried again, and the run there goes on", ""))
        if self._context.should_stop():
            raise RemoteError(f"{error.what}: the run there goes on", error.fix)
        self._machine.look(lost=True)
        time.sleep(WAITS[min(self._cut, len(WAITS) - 1)])
        self._cut += 1

    def _phase(self, name: str, done: int, total: int) -> None:
        self._context.emit(events.Phase(name, done, total))


class _Following:
    """A run there while the line holds."""

    def __init__(self, context: Context, machine: Machine, there: LimnerThere, run: RunThere) -> None:
        self._context, self._machine, self._there, self._run = context, machine, there, run
        self._mirror = Mirror(context.folder)
        self._coming: dict[int, tuple[Told, Future[bool]]] = {}
        self._ended: events.Job | None = None
        self._error: events.Error | None = None
        self._heard = time.monotonic()
        self._dead = False
        self._ahead = there.clock_ahead()

    def to_the_end(self) -> events.Job:
        """Until the run's last word is here, and all files before it."""
        offset = self._mirror.begin()
        log = shlex.quote(f"{self._run.path}/events.jsonl")
        tail = self._there.ssh.start(f"exec tail -c +{offset + 1} -F -- {log} 2>/dev/null")
        lines: queue.Queue[bytes | None] = queue.Queue(maxsize=64)
        threading.Thread(target=_pump, args=(tail, lines), daemon=True).start()
        try:
            with ThreadPoolExecutor(1) as pool:
                while self._ended is None or self._coming:
                    self._pass_on()
                    self._take(lines, pool)
                    self._settle()
                    self._look_for_life()
                    self._machine.look(lost=False)
        finally:
            end(tail)
        assert self._ended is not None
        if self._ended.state is JobState.FAILED and self._error is not None:
            return replace(self._ended, reason=self._error.message)
        return self._ended

    def _take(self, lines: queue.Queue[bytes | None], pool: ThreadPoolExecutor) -> None:
        """What came meanwhile. Raises BoxUnreachable where nothing will come any more."""
        try:
            data = lines.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            return
        if data is None:
            if self._ended is None:
                raise self._there.ssh.unreachable("")
            return
        self._heard, self._dead = time.monotonic(), False
        for told in self._mirror.feed(data):
            if told.is_strange:
                self._context.emit(
                    events.Warning(f"{self._there.ssh.box.name} tells of a file that is none of a run's")
                )
            elif told.file is not None:
                self._coming[told.at] = told, pool.submit(self._fetch, told.file, told.event.kind)
            elif isinstance(told.event, events.Job) and told.event.state.ended:
                self._ended = told.event
            else:
                if isinstance(told.event, events.Job):
                    self._ended = None
                elif isinstance(told.event, events.Error):
                    self._error = told.event
                self._relay(told)

    def _look_for_life(self) -> None:
        """A process that dies without a word writes no last line: after a silence the machine is asked, twice."""
        if self._ended is not None or time.monotonic() - self._heard < SILENT_SECONDS:
            return
        self._heard = time.monotonic()
        run = self._there.newest()
        gone = run is None or (run.id == self._run.id and run.state.ended)
        if gone and self._dead:
            self._ended = events.Job(JobState.FAILED, reason="the run's process there ended without a message")
        self._dead = gone

    def _relay(self, told: Told) -> None:
        self._context.relay(told.line(self._ahead))
        self._mirror.took(told)

    def _settle(self) -> None:
        """Lines whose files are here now are taken; those whose files are gone there are not."""
        for at in list(self._coming):
            told, coming = self._coming[at]
            if coming.done():
                if coming.result():
                    self._relay(told)
                del self._coming[at]

    def _fetch(self, name: str, kind: str) -> bool:
        """Brings a file home. Whether it is here; False: it is gone there, as a checkpoint that was not kept."""
        path = self._context.folder.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for tried in range(1, TRIES + 1):
            found = self._there.file(f"{self._run.path}/{name}")
            if found is None:
                return path.is_file()
            if shutil.disk_usage(path.parent).free < found.size + SPARE_BYTES:
                raise DiskFull(
                    f"there is no room for {name} of {found.size / 1e6:,.0f} MB", "make room, then: limner resume"
                )
            try:
                self._there.ssh.fetch(found.path, path, found.size, found.digest)
                if kind == "checkpoint":
                    read_header(path)
            except BoxUnreachable:
                raise
            except RemoteError:
                if tried == TRIES:
                    raise
            else:
                return True
        return False

    def _pass_on(self) -> None:
        """Hands over what was asked of the run here. What can't be done there is told."""
        for request in self._context.asked() & set(ASKED):
            try:
                self._there.request(request, self._run)
            except BoxUnreachable:
                raise
            except RemoteError as error:
                self._context.emit(events.Warning(error.one_line()))
            self._context.folder.answered(request)


def _pump(process: subprocess.Popen[bytes], lines: queue.Queue[bytes | None]) -> None:
    """From a program's output into a queue, to its end."""
    assert process.stdout is not None
    with suppress(OSError, ValueError):
        while piece := os.read(process.stdout.fileno(), 1 << 16):
            lines.put(piece)
    lines.put(None)
