"""Jobs that begin in a moment: forked from a process that has imported all they need, instead of importing it anew.

A job of a test is as real as a user's: a process of its own with its session, its environment, its log and its lock,
that can be killed. What it doesn't do again is to import torch and diffusers, seven seconds of a slow processor. Jobs
are begun as users begin them where that is what is tested (``COLD``), and wherever a command or the app begins one in
a process of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import engine.jobs.start
from engine.jobs import work, worker
from engine.jobs.fast_imports import fast_imports
from engine.jobs.folder import JobFolder, JobKind

WATCHED = ("tests/hostile/test_secrets_and_reach.py::test_a_password", "tests/hostile/test_network")
"""Tests that look at their jobs from outside."""

COLD = ("tests/engine/jobs", "tests/chaos", "tests/e2e", *WATCHED)
"""Where the tests are whose jobs begin as a user's do."""

PIPELINE = "diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl"

NEEDED = {
    JobKind.TRAIN: ("engine.training.run", PIPELINE),
    JobKind.PROBE: ("engine.training.run", PIPELINE),
    JobKind.PAINT: (PIPELINE,),
}
"""What work imports only as it begins."""

MOST = 1 << 20
"""Bytes of an order to begin a job: mostly its environment."""

WORKER = [sys.executable, "-m", "engine.jobs.worker"]


_forked: list[socket.socket] = []
"""The line to a process that was forked at the beginning, when nothing had happened that a job would inherit."""


def fork_server(foreign: Sequence[Connection]) -> None:
    """Begins the process that begins jobs, by forking this one. ``foreign`` is what it must not hold open."""
    ours, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        status = 1
        try:
            ours.close()
            for each in foreign:
                each.close()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # It ends with the one that it serves.
            status = serve(other)
        except BaseException:
            os.write(2, traceback.format_exc().encode("utf-8", "replace"))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    other.close()
    _forked.append(ours)


class Warm:
    """Stands in for the ``subprocess`` module where jobs are started."""

    DEVNULL, STDOUT = subprocess.DEVNULL, subprocess.STDOUT

    def __init__(self) -> None:
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def Popen(self, words: list[str], **how: Any) -> object:  # noqa: N802 - as subprocess has it
        """Begins a job, warm where it may be."""
        if words[:3] != WORKER or os.environ.get("PYTEST_CURRENT_TEST", "").startswith(COLD):
            return subprocess.Popen(words, **how)
        line = self._line or self._begin()
        order = json.dumps({"folder": words[3], "environment": dict(how["env"])}).encode()
        try:
            socket.send_fds(line, [order], [how["stdout"].fileno(), *how["pass_fds"]])
            begun = line.recv(1)
        except ConnectionError:
            begun = b""
        if not begun:
            self.end()
            raise OSError("the process that begins jobs is gone: see what it printed")
        return None

    def _begin(self) -> socket.socket:
        if _forked:
            self._line = _forked.pop()
            return self._line
        self._line, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm_jobs", str(other.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(other.fileno(),),
                cwd=Path(__file__).parents[2],
            )
        return self._line

    def end(self) -> None:
        """Lets the process go; jobs that it began go on."""
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.wait()
        self._line = self._process = None


@contextmanager
def warm_jobs() -> Iterator[None]:
    """What is started inside begins warm."""
    warm = Warm()
    engine.jobs.start.subprocess = warm  # type: ignore[assignment]
    try:
        yield
    finally:
        engine.jobs.start.subprocess = subprocess
        warm.end()


def serve(line: socket.socket) -> int:
    """The process: forks a job for every order that comes, and returns in each job with its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody asks how a job ended: its log tells.
    while True:
        message, handles, _, _ = socket.recv_fds(line, MOST, 2)
        if not message:
            return 0
        order = json.loads(message)
        _import_for(JobFolder(Path(order["folder"])).read_order().kind)
        if os.fork() == 0:
            line.close()
            _become(order["environment"], *handles)
            return worker.main(Path(order["folder"]))
        for handle in handles:
            os.close(handle)
        line.send(b".")


def _import_for(kind: JobKind) -> None:
    with fast_imports():
        for name in (work.WORK[kind].partition(":")[0], *NEEDED.get(kind, ())):
            importlib.import_module(name)


def _become(environment: dict[str, str], printed: int, lock: int) -> None:
    """Makes the process what ``engine.jobs.start`` asks of one."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    os.chdir("/")
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    os.close(printed)
    os.set_inheritable(lock, True)


if __name__ == "__main__":
    raise SystemExit(serve(socket.socket(fileno=int(sys.argv[1]))))
