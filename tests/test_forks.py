"""The loop that runs the tests in forked processes: nothing that fails in one of them passes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.patience import PATIENCE

HERE = Path(__file__).parents[1]

FIRST = """
import os, pytest

@pytest.fixture(scope="session")
def shared():
    yield [os.getpid()]
    open("ended", "a").write("shared\\n")

def test_one(shared): pass
def test_fails(shared): print("said before"); assert 1 + 1 == 3
def test_after(shared): assert shared == [os.getpid()]
@pytest.mark.skip
def test_skipped(): pass
"""
SECOND = """
import os, signal, warnings
from test_first import shared

def test_warns(): warnings.warn("beware")
def test_ends_its_process(): os.kill(os.getpid(), signal.SIGKILL)
def test_follows(): pass
def test_has_no_terminal_of_its_own(capfd, tmp_path):
    os.system("echo outside")
    assert capfd.readouterr().out == "outside\\n"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_first.py").write_text(FIRST)
    (tmp_path / "test_second.py").write_text(SECOND)
    return tmp_path


def forked(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    order = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.support.forks",
        "--forks",
        "2",
        "-p",
        "no:cacheprovider",
        *words,
    ]
    environment = {"PYTHONPATH": str(HERE), "PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(order, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE)


def test_failures_ends_and_warnings_of_all_processes_are_told(folder: Path) -> None:
    done = forked(folder, "--junit-xml=report.xml")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed, 5 passed, 1 skipped" in done.stdout
    assert "assert (1 + 1) == 3" in done.stdout
    assert "said before" in done.stdout
    assert "the process that ran it ended with -9" in done.stdout
    assert "UserWarning: beware" in done.stdout
    assert 'tests="8"' in (folder / "report.xml").read_text()
    ended = (folder / "ended").read_text() if (folder / "ended").exists() else ""
    # In none where the process that was killed had begun it.
    assert ended in ("shared\n", ""), "what tests share ends once, and only where it began"


def test_the_first_failure_ends_all_where_that_is_asked_for(folder: Path) -> None:
    (folder / "test_second.py").write_text("import time\ndef test_long(): time.sleep(600)\n")
    done = forked(folder, "-x")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert (folder / "ended").read_text() == "shared\n"


def test_where_everything_passes_the_status_says_so(folder: Path) -> None:
    done = forked(folder, "-k", "one or after or follows or terminal")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed, 4 deselected" in done.stdout
