"""Limner's client in an environment of its own: small, without torch, and it trains on another machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from engine.errors import JobError
from engine.jobs import needed_packages
from engine.jobs.folder import JobKind
from engine.jobs.needed_packages import missed
from engine.jobs.start import start
from engine.project import Project
from tests.support.small_project import small_project
from tests.support.ssh_box import REPOSITORY, ssh_box

pytestmark = pytest.mark.slow

MOST_MB = 150


@pytest.mark.parametrize(
    ("kind", "name", "how"),
    [
        (JobKind.TRAIN, "torch", "limner train --on NAME, or limner rent"),
        (JobKind.PROBE, "diffusers", "limner train --on NAME"),
        (JobKind.PAINT, "peft", "pip install limner"),
        (JobKind.MEASURE, "onnxruntime", "limner-client[faces]"),
    ],
)
def test_a_job_whose_package_is_missing_is_not_begun(
    kind: JobKind, name: str, how: str, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needed_packages, "is_there", lambda each: each != name)
    with pytest.raises(JobError, match=f"{name} is not installed here") as caught:
        start(tmp_path / "job", kind, project.root, {})
    assert how in caught.value.one_line()
    assert not (tmp_path / "job").exists()


def test_a_package_that_a_job_misses_later_is_named() -> None:
    told = missed(ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"))
    assert told is not None
    assert told.what.startswith("torch is not installed here")
    assert missed(ModuleNotFoundError("No module named 'ours'", name="ours")) is None


@pytest.mark.long
def test_a_client_is_small_and_trains_elsewhere(tmp_path: Path, own_home: Path) -> None:
    place = tmp_path / "client"
    venv.create(place, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin/python"), "install", "-q", "--no-compile"]
    packages = ["-c", str(REPOSITORY / "constraints.txt"), str(REPOSITORY / "deploy/client")]
    subprocess.run([*pip, *packages], check=True, capture_output=True)
    (site,) = place.glob("lib/python*/site-packages")
    size = sum(path.lstat().st_size for path in site.rglob("*") if path.is_file()) / 1e6
    assert size < MOST_MB, f"{size:.0f} MB"
    assert not (site / "torch").exists()
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    env["PYTHONDONTWRITEBYTECODE"] = "1"

    def limner(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(place / "bin/limner"), "-C", str(tmp_path / "james"), *words]
        return subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path, check=False)

    small_project(tmp_path / "james")
    assert limner("--version").stdout.startswith("limner, version")
    assert "trains and paints on other machines" in limner("doctor").stdout
    for words in (["train"], ["estimate", "--probe"], ["paint", "a photo"]):
        refused = limner(*words)
        assert refused.returncode == 1
        assert "is not installed here, which trains and paints" in refused.stderr
        assert "Traceback" not in refused.stderr
    with ssh_box(tmp_path / "there") as (box, _):
        added = ["remote", "add", box.name, box.address, "--directory", box.directory, "--program", box.program]
        assert limner(*added, "--ssh-config", str(box.ssh_config)).returncode in (0, 1)
        done = limner("train", "--on", box.name, "--yes", "--wait", "--json")
        assert done.returncode == 0, done.stderr
    runs = json.loads(limner("runs", "--json").stdout)["runs"]
    assert [each["state"] for each in runs] == ["done"]
    kept = sorted(Path(runs[0]["path"]).glob("checkpoints/*.safetensors"))
    assert len(kept) == 2
    assert all(load_file(path) for path in kept)
