"""What every test gets: a home of its own, so that no test sees or changes the user's."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from engine.jobs.fast_imports import fast_imports
from engine.jobs.work import WORK
from engine.project import Project, create_project
from engine.storage.file_locks import file_lock
from tests.support.warm_jobs import warm_jobs

if TYPE_CHECKING:
    from engine.demo.library import DrawnLibrary

# Before torch is loaded: tests run side by side, see engine.jobs.start.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Hundreds of processes are begun; where nothing compiled may be kept, each would compile all of Limner anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Whoever runs all tests comes to some that need these.
if any(each.startswith("--forks") for each in sys.argv):
    with fast_imports():
        import_module("diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl")
        import_module("engine.training.run")
        for place in WORK.values():
            import_module(place.partition(":")[0])

# How long an example takes says how busy the machine is, nothing about the code. ``make test-long`` takes more of them.
settings.register_profile(
    "limner",
    max_examples=int(os.environ.get("LIMNER_TEST_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("limner")


BELOW_HOME = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")

# The garbage of a process that has torch and a hundred apps behind it takes long to look through: a fifth of the time.
gc.set_threshold(50_000, 20, 10)

SHELLS_OWN = ("LANGUAGE", "SUDO_UID", "PYTHONOPTIMIZE", "CLICOLOR_FORCE", "FORCE_COLOR", "LIMNER_LLM_KEY", "HF_TOKEN")
"""What a user's shell may say, and no test expects."""

WAITING = ("e2e", "chaos", "tui")
"""Folders of tests that wait half of the time, for a terminal or for another process. The others compute."""

LONG_FIRST = (
    "e2e/test_whole_way_in_a_terminal.py",
    "tui/test_journeys.py",
    "tui/test_snapshots.py",
    "tui/test_pictures_screen.py",
    "engine/training",
    "engine/pictures",
    "e2e",
    "chaos",
    "commands",
    "engine/faces",
    "hostile",
    "engine/demo",
)
"""Tests that take long, and folders of them. Begun first, so that no process is left alone with them at the end."""


def pytest_configure() -> None:
    """Sets up what every test relies on, whatever the shell that began the tests has.

    A shell that begins a command in the background has SIGINT ignored, and so would each process that a test begins.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGTSTP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)
    for name in [each for each in os.environ if each.startswith("LC_") or each in SHELLS_OWN]:
        del os.environ[name]
    os.environ["LANG"] = "C.UTF-8"
    os.environ["TZ"] = "UTC"
    time.tzset()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the long ones first, and those that wait beside those that compute; the tests of a file stay together."""
    here = Path(__file__).parent
    files = dict.fromkeys(item.path.relative_to(here) for item in items)

    def rank(file: Path) -> int:
        places = [LONG_FIRST.index(each) for each in (file.as_posix(), file.parent.as_posix()) if each in LONG_FIRST]
        return min(places, default=len(LONG_FIRST))

    place = dict[Path, float]()
    for waits in (True, False):
        alike = sorted((file for file in files if (file.parts[0] in WAITING) is waits), key=rank)
        place |= {file: number / len(alike) for number, file in enumerate(alike)}
    items.sort(key=lambda item: place[item.path.relative_to(here)])


def pytest_collection_finish() -> None:
    """What tests and packages are made of stays: it is no garbage that would have to be looked for again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def home_of_fixtures(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What fixtures that several tests share do before the first of them."""
    os.environ["HOME"] = str(tmp_path_factory.mktemp("shared-home"))
    for name in BELOW_HOME:
        os.environ.pop(name, None)


@pytest.fixture(scope="session", autouse=True)
def jobs_begin_at_once() -> Iterator[None]:
    with warm_jobs():
        yield


@pytest.fixture(scope="session")
def drawn_library(tmp_path_factory: pytest.TempPathFactory) -> DrawnLibrary:
    """The demo's photos and their index, drawn once for all processes that test: they are looked at, nothing more."""
    from engine.demo.library import DrawnLibrary, draw_library  # Brings numpy along, which counts its threads then.

    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "drawn-library"
    folder.mkdir(exist_ok=True)
    with file_lock(folder):
        library = DrawnLibrary.below(folder)
        return library if library.index.exists() else draw_library(folder)


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another test said is a secret may be a word of this one's screens."""
    monkeypatch.setattr("engine.secrets._secrets", ())


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in BELOW_HOME:
        monkeypatch.setenv(name, str(home / name.lower()))
    for name in ("LIMNER_DB_PASSWORD", "SSH_CONNECTION", "NO_COLOR", "TMUX", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return home


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return create_project(tmp_path / "james", trigger="jx265", class_word="man")
