"""What is imported when: the app and the commands stay light, whatever is added."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from engine.jobs.work import WORK
from engine.project import Project
from tui.cli.main import COMMANDS

HEAVY = ("torch", "diffusers", "transformers", "peft", "accelerate", "onnxruntime", "dlib", "cv2")


def loaded_after(statement: str) -> set[str]:
    """The top-level packages that a fresh Python has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(' '.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_app_loads_nothing_that_only_jobs_need() -> None:
    assert not loaded_after("import tui.app.launch, tui.screens") & set(HEAVY)


def test_no_command_loads_textual_or_what_only_jobs_need() -> None:
    modules = sorted({place.split(":")[0] for place, _ in COMMANDS.values()})
    loaded = loaded_after(f"import {', '.join(modules)}")
    assert not loaded & {"textual", *HEAVY}


def test_asking_for_the_version_loads_hardly_anything() -> None:
    loaded = loaded_after("import tui.cli.main")
    assert not loaded & {"textual", "rich", "pydantic", "sqlalchemy", "PIL", "numpy", *HEAVY}


def test_the_first_frame_waits_for_no_settings_check_and_no_pictures() -> None:
    loaded = loaded_after("import tui.app.app, tui.theming.appearance_cache, tui.screens.faces.screen")
    assert not loaded & {"pydantic", "tomlkit", "sqlalchemy", "PIL", "numpy", *HEAVY}


def test_looking_for_old_settings_takes_a_quick_command_no_longer(project: Project) -> None:
    imports = "from pathlib import Path; from tui.cli.old_settings import tell_of_old_names"
    loaded = loaded_after(f"{imports}; tell_of_old_names(Path({str(project.root)!r}))")
    assert not loaded & {"pydantic", "sqlalchemy", "tomlkit"}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there_under_its_name(name: str) -> None:
    module, attribute = COMMANDS[name][0].split(":")
    assert getattr(importlib.import_module(module), attribute).name == name


@pytest.mark.parametrize("place", WORK.values())
def test_the_work_of_each_kind_of_job_is_there(place: str) -> None:
    module, name = place.split(":")
    assert callable(getattr(importlib.import_module(module), name))
