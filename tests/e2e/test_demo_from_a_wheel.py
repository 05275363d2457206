"""The whole job from a wheel in an empty environment: what a user gets who has none of the source tree."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import engine

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it, and of ours the packages alone; returns its folder of programs."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder, with_pip=True, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    # A folder named so gives its packages; what is installed in it editably, this source tree, it does not give.
    (site / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    programs = folder / "bin"
    run(programs / "pip", "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    return programs


@pytest.fixture(scope="module")
def clean_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment that can't see the source tree."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "HOME": str(tmp_path_factory.mktemp("home")), "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module", params=["sdxl", "flux2-klein"])
def demo(
    request: pytest.FixtureRequest,
    elsewhere: Path,
    clean_env: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What ``limner demo DIR --run --json`` reports, run once for each family."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    ask = ("demo", folder, "--base", request.param, "--run", "--json")
    done = run(elsewhere / "limner", *ask, cwd=folder.parent, env=clean_env)
    outcome: dict[str, Any] = json.loads(done.stdout)
    return {**outcome, "told": done.stderr, "folder": folder}


def test_the_wheel_holds_themes_base_model_and_stylesheets(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("tui/themes/") and name.endswith(".toml") for name in names)
    assert any(name.endswith(".tcss") for name in names)
    assert "engine/demo/tiny_base/unet/diffusion_pytorch_model.safetensors" in names
    assert "engine/demo/tiny_klein/transformer/diffusion_pytorch_model.safetensors" in names
    assert not [name for name in names if name.startswith("tests/")]


def test_the_wheel_is_small_enough_to_carry_around(wheel: Path) -> None:
    # Two tiny base models of some 5 MB each are most of it.
    assert wheel.stat().st_size < 18_000_000


@pytest.mark.long
def test_the_portraits_become_the_person(demo: dict[str, Any]) -> None:
    likeness = demo["likeness"]
    wanted = likeness["recommended"]
    best = next(each for each in likeness["scores"] if each["strength"] == wanted["strength"])
    assert len({picture["seed"] for picture in best["pictures"]}) >= 8
    assert best["median"] > 0.8
    assert best["median"] - likeness["base"] > 0.5
    assert best["rank_1"] >= 0.75
    assert likeness["nearest_other"] < best["median"]
    assert likeness["real"] > 0.8


@pytest.mark.long
def test_each_epoch_left_a_checkpoint_and_the_last_is_the_lora(demo: dict[str, Any]) -> None:
    lora = Path(demo["lora"])
    assert lora.is_file()
    assert len(list(lora.parent.glob("*.safetensors"))) == demo["epochs"]


@pytest.mark.long
def test_the_portraits_say_how_they_were_made(demo: dict[str, Any]) -> None:
    assert demo["portraits"]
    for portrait in demo["portraits"]:
        with Image.open(portrait["path"]) as picture:
            assert "jx265" in picture.text["parameters"]
            assert "Lora hashes" in picture.text["parameters"]


@pytest.mark.long
def test_the_last_words_say_where_things_are_and_how_to_go_on(demo: dict[str, Any]) -> None:
    last = demo["told"][-800:]
    assert str(Path(demo["portraits"][0]["path"]).parent) in last
    assert demo["lora"] in last
    assert "limner -C" in last


@pytest.mark.long
def test_progress_tells_loss_and_time_left_while_training(demo: dict[str, Any]) -> None:
    lines = [line for line in demo["told"].splitlines() if "loss" in line and "left" in line]
    assert lines, demo["told"][-3000:]


@pytest.mark.long
def test_the_photo_library_is_left_as_it_was(demo: dict[str, Any]) -> None:
    library = demo["folder"] / "library"
    rows = sqlite3.connect(f"file:{library / 'index.db'}?mode=ro", uri=True).execute(
        "SELECT file_root, file_name, file_hash FROM files WHERE file_missing = 0"
    )
    hashes = {(str(root), str(name)): str(sha) for root, name, sha in rows}
    compared = 0
    for (root, name), sha in hashes.items():
        path = library / ("sidecar" if root == "sidecar" else "originals") / name
        if path.is_file():
            assert hashlib.sha1(path.read_bytes()).hexdigest() == sha, path
            compared += 1
    assert compared > 40
    assert sorted(path.name for path in library.iterdir()) == ["index.db", "originals", "sidecar"]


@pytest.mark.long
def test_the_demo_s_people_are_there(elsewhere: Path, demo: dict[str, Any], clean_env: dict[str, str]) -> None:
    folder = demo["folder"]
    told = run(elsewhere / "limner", "-C", folder, "people", "--json", cwd=folder, env=clean_env).stdout
    assert len(json.loads(told)["people"]) >= 5


@pytest.mark.long
def test_the_app_is_there_without_the_source_tree(elsewhere: Path, clean_env: dict[str, str], tmp_path: Path) -> None:
    assert run(elsewhere / "limner", "--version", cwd=tmp_path, env=clean_env).stdout.split()[-1] == engine.__version__
    places = json.loads(run(elsewhere / "limner", "locate", "--json", cwd=tmp_path, env=clean_env).stdout)
    themes = next(place for place in places["places"] if place["name"].startswith("themes"))
    assert str(ROOT) not in themes["path"]
    assert list(Path(themes["path"]).glob("*.toml"))
    run(
        elsewhere / "python",
        "-c",
        "import tui.app.launch, tui.screens, engine.demo.project",
        cwd=elsewhere,
        env=clean_env,
    )


@pytest.mark.long
def test_the_wheel_brings_all_it_needs(wheel: Path, clean_env: dict[str, str], tmp_path: Path) -> None:
    venv.create(tmp_path / "empty", with_pip=True, symlinks=True)
    programs = tmp_path / "empty" / "bin"
    run(programs / "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    done = run(programs / "limner", "demo", tmp_path / "demo", "--run", "--json", cwd=tmp_path, env=clean_env)
    assert json.loads(done.stdout)["likeness"]["base"] < 0.5
