"""Nothing is asked of any network that the user did not ask for: not at import, not by a command, not by a job."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import engine
from tests.support.patience import PATIENCE
from tests.support.small_project import small_project

ROOT = Path(__file__).parents[2]

GUARD = """
import os, sys

def guard(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        where = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
        if isinstance(where, (str, bytes)) and event == "socket.connect":
            return  # a socket in the file system
        with open(os.environ["TRIED"], "a") as log:
            log.write(f"{event} {where} {sys.argv}\\n")
        raise OSError("the network is out of reach")

sys.addaudithook(guard)
"""


def guarded(tmp_path: Path, *words: object) -> str:
    """Runs a Python whose processes, jobs included, can reach nothing. Returns what they tried."""
    (tmp_path / "guard").mkdir(exist_ok=True)
    (tmp_path / "guard/sitecustomize.py").write_text(GUARD)
    tried = tmp_path / "tried"
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment |= {
        "PYTHONPATH": f"{tmp_path / 'guard'}{os.pathsep}{ROOT}",
        "TRIED": str(tried),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, *map(str, words)], env=environment, capture_output=True, text=True, timeout=300, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    return tried.read_text() if tried.exists() else ""


def test_the_guard_sees_who_tries(tmp_path: Path) -> None:
    code = "import socket\ntry: socket.create_connection(('192.0.2.1', 80), 1)\nexcept OSError: pass"
    assert "192.0.2.1" in guarded(tmp_path, "-c", code)


@pytest.mark.long
def test_importing_all_of_limner_reaches_for_nothing(tmp_path: Path) -> None:
    code = (
        "import engine, tui, importlib, pkgutil\n"
        "for package in (engine, tui):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
    )
    assert guarded(tmp_path, "-c", code) == ""


@pytest.mark.parametrize(
    "first", ["from engine.faces.detection.detector import Detector; Detector.load()", "import engine"]
)
def test_onnx_runtime_names_this_machine_to_nobody(first: str, tmp_path: Path) -> None:
    """Its sending is native code, which the guard doesn't see; without it, it keeps no name of this machine either."""
    environment = {name: value for name, value in os.environ.items() if name not in engine.TELEMETRY_OFF}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", f"{first}\nimport onnxruntime"]
    subprocess.run(words, env=environment, check=True, timeout=PATIENCE, cwd=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.slow
@pytest.mark.long
def test_training_and_painting_with_what_is_here_reaches_for_nothing(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james", images=2, training__epochs=1, training__repeats=1)
    limner = ("-m", "tui.cli", "-C", project.root)
    tried = guarded(tmp_path, *limner, "train", "--wait")
    tried += guarded(tmp_path, *limner, "paint", "photo of jx265 man", "-o", tmp_path / "a.png")
    for words in (
        ("runs",),
        ("estimate",),
        ("prompt", "show", "photo of jx265 man"),
        ("vary", "a b c", "--count", "2"),
    ):
        tried += guarded(tmp_path, *limner, *words)
    assert tried == ""
    assert (tmp_path / "a.png").exists()
