"""The demo project: a drawn library with its index, and settings that let the tiny base model learn in a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from engine.demo.library import draw_library
from engine.demo.people import JAMES, TRIGGER_WORD
from engine.errors import ProjectError
from engine.project import Project, create_project
from engine.settings import DEMO_BASE, Sampler
from engine.storage.project_paths import SETTINGS_NAME

DEMO_SETTINGS: dict[str, Any] = {
    "faces.close": 24,
    "faces.half": 0,
    "faces.full": 0,
    "base.model": DEMO_BASE,
    "training.repeats": 10,
    "training.epochs": 8,
    "training.batch_size": 4,
    "training.rank": 16,
    "training.alpha": 16.0,
    "training.learning_rate": 5e-3,
    "painting.steps": 20,
    "painting.guidance_scale": 3.0,
    "painting.sampler": Sampler.EULER,
    "painting.strength": 1.0,
}
"""What suits a base model of four million parameters and pictures of 64 pixels: for SDXL the defaults are right."""


class Teller(Protocol):
    """Whoever wants to hear how long work goes on."""

    def stage(self, name: str) -> None:
        """A new stretch of work begins."""

    def progress(self, text: str, *, last: bool = False) -> None:
        """How the stage stands now."""

    def note(self, text: str) -> None:
        """Something that is said once and stays."""


def make_demo_project(folder: Path, teller: Teller) -> Project:
    """Makes the demo project in ``folder``, or returns the one that is there already.

    The drawn library lies inside it, in ``library/``, as PhotoPrism would keep it: originals, sidecar files and
    ``index.db``.

    Raises:
        ProjectError: the folder holds a project that is not the demo's.
    """
    library_folder = folder.resolve() / "library"
    if (folder / SETTINGS_NAME).exists():
        project = Project(folder.resolve())
        if project.settings.base.model != DEMO_BASE or not (library_folder / "index.db").exists():
            raise ProjectError(f"{folder} holds another project", "choose another folder for the demo")
        return project
    teller.stage("Drawing a photo library of six people who do not exist")

    def drawn(done: int, total: int) -> None:
        teller.progress(f"{done} of {total} photos", last=done == total)

    library = draw_library(library_folder, progress=drawn)
    project = create_project(folder, trigger=TRIGGER_WORD, class_word=JAMES.class_word)
    project.change(
        {
            **DEMO_SETTINGS,
            # Relative, so that the demo can be moved and copied whole.
            "library.url": f"sqlite:///{library.index.relative_to(project.root)}",
            "library.originals": library.originals.relative_to(project.root),
            "library.sidecar": library.sidecar.relative_to(project.root),
        }
    )
    return project
