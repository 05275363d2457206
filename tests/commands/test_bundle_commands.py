"""``limner bundle`` and ``limner unbundle``: the whole round, from home to another machine and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.project import Project
from tests.commands.conftest import Photos, Run
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]


def limner(*words: object, home: Path) -> subprocess.CompletedProcess[str]:
    """A command as another machine runs it: no library, no home of ours."""
    environment = {**os.environ, "HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tui.cli", *map(str, words)]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.slow
@pytest.mark.long
def test_a_project_is_trained_elsewhere_and_its_run_paints_at_home(
    run: Run, scanned: Photos, project: Project, tmp_path: Path
) -> None:
    project.change(
        {
            "base.model": "demo",
            "training.repeats": 1,
            "training.epochs": 1,
            "training.batch_size": 2,
            "training.rank": 4,
            "training.sample_prompts": [],
            "painting.steps": 2,
            "painting.idle_seconds": 1.0,
        }
    )
    faces = run("faces", "list", "--json").record["faces"]
    run("faces", "keep", *[face["id"] for face in faces if not face["problem"]])
    assert run("dataset", "build").code == 0
    there = tmp_path / "james.limner"
    made = run("bundle", "-o", there)
    assert made.code == 0, made.err
    assert made.out.strip() == str(there)
    assert "MB packed" in made.err
    assert f"limner unbundle {there.name} DIR" in made.err

    box = tmp_path / "box" / "james"
    opened = limner("unbundle", there, box, home=tmp_path)
    assert opened.returncode == 0, opened.stderr
    trained = limner("-C", box, "train", "--wait", "--json", home=tmp_path)
    assert trained.returncode == 0, trained.stderr
    name = json.loads(trained.stdout)["run"]
    back = tmp_path / "runs.limner"
    made_there = limner("-C", box, "bundle", "--runs", "-o", back, "--json", home=tmp_path)
    assert made_there.returncode == 0, made_there.stderr
    assert json.loads(made_there.stdout)["runs"] == [name]

    home = run("unbundle", back, project.root)
    assert (home.code, home.out.strip()) == (0, f"{name}: new"), home.err
    (listed,) = run("runs", "--json").record["runs"]
    assert (listed["id"], listed["state"], listed["epoch"]) == (name, "done", 1)
    checkpoint = Path(listed["checkpoints"][-1])
    assert checkpoint.is_relative_to(project.runs)
    painted = run("paint", "portrait of jx265 man", "--lora", f"{checkpoint}:1.0", "-o", tmp_path / "portrait.png")
    assert painted.code == 0, painted.err
    assert (tmp_path / "portrait.png").exists()
    assert run("unbundle", back, project.root).out.strip() == f"{name}: here already"


def test_wrong_use_is_told(run: Run, project: Project, tmp_path: Path) -> None:
    assert "no dataset to bundle: build it first: limner dataset build" in run("bundle").failure
    assert "has no runs" in run("bundle", "--runs").failure
    assert run("bundle", "--state").code == 2
    assert run("bundle", "--runs", "--with-library").code == 2
    assert run("unbundle", tmp_path / "x").code == 2
    assert "there is no" in run("unbundle", tmp_path / "x", tmp_path / "y").failure
    (tmp_path / "x").write_bytes(b"PK\x03\x04")
    assert "this is not a Limner bundle" in run("unbundle", tmp_path / "x", tmp_path / "y").failure
