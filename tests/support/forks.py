"""Runs the tests in processes that are forked from the one that collected them: ``pytest -p tests.support.forks``.

The processes of pytest-xdist import and collect everything anew, each in 19 seconds of a slow processor; these have it
from the first, and so has the process that begins jobs (``tests.support.warm_jobs``). The tests of a file stay together
and come one after the other.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, groupby
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import pytest

from tests.support import warm_jobs
from tests.support.mariadb import SHARED_FOLDER

LOOK_SECONDS = 1.0
"""How often is looked whether a process is still there: another that it began may hold its pipe open."""

TEARDOWN_SECONDS = 30.0
"""How long what several tests shared may take to end once the run is broken off."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--forks``."""
    parser.addoption("--forks", type=int, default=0, metavar="NUMBER", help="run the tests in so many processes")


def pytest_configure(config: pytest.Config) -> None:
    """Takes over the loop of the tests where processes are asked for."""
    if number := config.getoption("--forks"):
        config.pluginmanager.register(Forks(number), "limner-forks")


class _NextFile:
    """Stands for the next test where it isn't known yet: what the whole session shares stays until then."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def listchain(self) -> list[pytest.Session]:
        """What the next test needs."""
        return [self._session]


@dataclass
class _Process:
    """A process that runs tests, as the one that collected them sees it."""

    number: int
    pid: int
    line: Connection
    left: deque[int] = field(default_factory=deque)
    """Tests that it was given, and hasn't ended yet; the first one runs."""
    reports: list[dict[str, Any]] = field(default_factory=list)
    """Of the test that runs."""


class Forks:
    """The loop of the tests."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._numbers = count()
        self._processes: list[_Process] = []
        self._files: deque[list[int]] = deque()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Runs all tests; leaves it to pytest where there is nothing to run."""
        if session.config.option.collectonly or session.testsfailed:
            return None
        os.environ["PYTEST_XDIST_WORKER_COUNT"] = str(self._number)  # syrupy looks for unused pictures elsewhere.
        os.environ[SHARED_FOLDER] = str(session.config._tmp_path_factory.getbasetemp())  # type: ignore[attr-defined]
        files = groupby(range(len(session.items)), lambda at: session.items[at].path)
        self._files = deque(list(each) for _, each in files)
        try:
            for _ in range(min(self._number, len(self._files))):
                self._fork(session)
            while self._processes:
                self._look(session)
                if session.shouldfail:
                    raise session.Failed(session.shouldfail)
                if session.shouldstop:
                    raise session.Interrupted(session.shouldstop)
        finally:
            self._end()
        return True

    def _fork(self, session: pytest.Session) -> None:
        here, there = Pipe()
        number = next(self._numbers)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        pid = os.fork()
        if pid == 0:
            here.close()
            for other in self._processes:
                other.line.close()
            _be_forked(session, number, there)
        there.close()
        self._processes.append(_Process(number, pid, here))

    def _look(self, session: pytest.Session) -> None:
        """Takes what the processes say, and sees which of them are gone."""
        wait([each.line for each in self._processes], LOOK_SECONDS)
        for process in list(self._processes):
            pid, status = os.waitpid(process.pid, os.WNOHANG)
            self._take(session, process)
            if pid:
                self._ended(session, process, os.waitstatus_to_exitcode(status))

    def _take(self, session: pytest.Session, process: _Process) -> None:
        """Takes what a process has said up to now."""
        try:
            while process.line.poll():
                kind, *words = process.line.recv()
                getattr(self, f"_{kind}")(session, process, *words)
        except (EOFError, OSError):
            time.sleep(0.01)  # It is about to end.

    def _next(self, session: pytest.Session, process: _Process) -> None:
        process.left = deque(self._files.popleft() if self._files else ())
        with suppress(OSError):
            process.line.send(list(process.left))

    def _report(self, session: pytest.Session, process: _Process, data: dict[str, Any]) -> None:
        process.reports.append(data)

    def _done(self, session: pytest.Session, process: _Process) -> None:
        """Tells what came of a test all at once, so that no two are mixed."""
        item = session.items[process.left.popleft()]
        hook, config = item.ihook, session.config
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for data in process.reports:
            report = config.hook.pytest_report_from_serializable(config=config, data=data)
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        process.reports = []

    def _warned(self, session: pytest.Session, process: _Process, text: str, *words: Any) -> None:
        kind, file, line, when, nodeid, place = words
        message = warnings.WarningMessage(UserWarning(f"{kind}: {text}"), UserWarning, file, line)
        session.config.hook.pytest_warning_recorded.call_historic(
            kwargs={"warning_message": message, "when": when, "nodeid": nodeid, "location": place}
        )

    def _ended(self, session: pytest.Session, process: _Process, status: int) -> None:
        """A process is gone. Where tests of its were left, the one that ran failed, and another does the others."""
        self._processes.remove(process)
        process.line.close()
        if session.shouldfail or session.shouldstop:
            return
        if not process.left:
            if status:
                print(f"\na process that ran tests ended with {status} after the last of them", file=sys.stderr)
                session.testsfailed += 1
            return
        item = session.items[process.left[0]]
        keywords = dict.fromkeys(item.keywords, 1)
        why = f"the process that ran it ended with {status}"
        report = pytest.TestReport(item.nodeid, item.location, keywords, "failed", why, "call")
        process.reports = [session.config.hook.pytest_report_to_serializable(config=session.config, report=report)]
        self._done(session, process)
        if process.left:
            self._files.appendleft(list(process.left))
        if self._files:
            self._fork(session)

    def _end(self) -> None:
        """Ends the processes that are left, which end what their tests share first."""
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)
        for process in self._processes:
            patience = TEARDOWN_SECONDS
            while patience > 0 and os.waitpid(process.pid, os.WNOHANG)[0] == 0:
                wait([process.line], 0.1)
                patience -= 0.1
                with suppress(EOFError, OSError):
                    while process.line.poll():
                        process.line.recv()
            if patience <= 0:
                os.kill(process.pid, signal.SIGKILL)
                os.waitpid(process.pid, 0)
        self._processes = []


def _be_forked(session: pytest.Session, number: int, line: Connection) -> None:
    """What a forked process does, until it ends."""
    status = 1
    try:
        _settle_in(session, number, line)
        for item, following in _given(session, line):
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            line.send(("done",))
            if session.shouldfail or session.shouldstop:
                break
        session._setupstate.teardown_exact(None)
        status = 0
    except KeyboardInterrupt:
        with suppress(BaseException):
            session._setupstate.teardown_exact(None)
    except BaseException:
        os.write(2, traceback.format_exc().encode("utf-8", "replace"))
    finally:
        os._exit(status)


def _given(session: pytest.Session, line: Connection) -> Iterator[tuple[pytest.Item, Any]]:
    """The tests of one file after the other, each with the one that follows."""
    while True:
        line.send(("next",))
        items = [session.items[at] for at in line.recv()]
        if not items:
            return
        yield from zip(items, [*items[1:], _NextFile(session)], strict=True)


def _settle_in(session: pytest.Session, number: int, line: Connection) -> None:
    """Parts from what the processes would share: the terminal, captured output, folders, chance."""
    config = session.config
    plugins = config.pluginmanager
    os.environ["PYTEST_XDIST_WORKER"] = f"gw{number}"  # Plugins that look for xdist's leave the summing up to others.
    capturing = plugins.getplugin("capturemanager")
    capturing.stop_global_capturing()
    warm_jobs.fork_server([line])
    capturing.start_global_capturing()
    capturing.suspend_global_capture()
    plugins.getplugin("terminalreporter")._tw._file = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    folders = config._tmp_path_factory  # type: ignore[attr-defined]
    folders._basetemp = folders.getbasetemp() / f"process-{number}"
    folders._basetemp.mkdir(0o700)
    random.seed()
    plugins.register(_Telling(config, line), "limner-telling")


class _Telling:
    """Tells the process that collected the tests what comes of them."""

    def __init__(self, config: pytest.Config, line: Connection) -> None:
        self._config = config
        self._line = line
        self._pid = os.getpid()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A part of a test ended."""
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._tell("report", data)

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: Any
    ) -> None:
        """Something warned."""
        kind, text = warning_message.category.__name__, str(warning_message.message)
        self._tell("warned", text, kind, warning_message.filename, warning_message.lineno, when, nodeid, location)

    def _tell(self, *words: Any) -> None:
        if os.getpid() == self._pid:
            self._line.send(words)
