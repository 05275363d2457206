"""The demo project: a drawn library with its index, and settings that let a tiny base model learn in a minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.demo.library import draw_library
from engine.demo.people import JAMES, TRIGGER_WORD
from engine.errors import ProjectError
from engine.project import Project, create_project
from engine.settings import DEMO_BASE, DEMO_BASES, DEMO_KLEIN, Sampler
from engine.storage.project_paths import SETTINGS_NAME

DEMO_SETTINGS: dict[str, Any] = {
    "faces.close": 24,
    "faces.half": 0,
    "faces.full": 0,
    "training.repeats": 10,
    "training.batch_size": 4,
    "training.rank": 16,
    "training.alpha": 16.0,
    "training.learning_rate": 5e-3,
    "painting.sampler": Sampler.EULER,
    "painting.strength": 1.0,
}
"""What suits base models of some million parameters and pictures of 64 pixels: for real ones the defaults are right."""


@dataclass(frozen=True)
class TinyBase:
    """A tiny base model that comes with Limner."""

    model: str
    """``base.model``."""
    settings: Mapping[str, Any]
    """What suits it beside ``DEMO_SETTINGS``."""


TINY_BASES: Mapping[str, TinyBase] = {
    "sdxl": TinyBase(DEMO_BASE, {"training.epochs": 8, "painting.steps": 20, "painting.guidance_scale": 3.0}),
    "flux2-klein": TinyBase(DEMO_KLEIN, {"training.epochs": 5, "painting.steps": 8, "painting.guidance_scale": 1.0}),
}
"""By the name of the family whose architecture each has."""


class Teller(Protocol):
    """Whoever wants to hear how long work goes on."""

    def stage(self, name: str) -> None:
        """A new stretch of work begins."""

    def progress(self, text: str, *, last: bool = False) -> None:
        """How the stage stands now."""

    def note(self, text: str) -> None:
        """Something that is said once and stays."""


def make_demo_project(folder: Path, teller: Teller, family: str | None = None) -> Project:
    """Makes the demo project in ``folder``, or returns the one that is there already.

    The drawn library lies inside it, in ``library/``, as PhotoPrism would keep it: originals, sidecar files and
    ``index.db``.

    Args:
        folder: where.
        teller: hears how far it is.
        family: of ``TINY_BASES``; None: SDXL, or what is there already.

    Raises:
        ProjectError: the folder holds a project that is not the demo's, or the demo's with another base model.
    """
    library_folder = folder.resolve() / "library"
    if (folder / SETTINGS_NAME).exists():
        project = Project(folder.resolve())
        model = project.settings.base.model
        if model not in DEMO_BASES or not (library_folder / "index.db").exists():
            raise ProjectError(f"{folder} holds another project", "choose another folder for the demo")
        if family is not None and model != TINY_BASES[family].model:
            raise ProjectError(f"{folder} holds a demo with another base model", "choose another folder for this one")
        return project
    teller.stage("Drawing a photo library of six people who do not exist")

    def drawn(done: int, total: int) -> None:
        teller.progress(f"{done} of {total} photos", last=done == total)

    library = draw_library(library_folder, progress=drawn)
    project = create_project(folder, trigger=TRIGGER_WORD, class_word=JAMES.class_word)
    tiny = TINY_BASES[family or "sdxl"]
    project.change(
        {
            **DEMO_SETTINGS,
            "base.model": tiny.model,
            **tiny.settings,
            # Relative, so that the demo can be moved and copied whole.
            "library.url": f"sqlite:///{library.index.relative_to(project.root)}",
            "library.originals": library.originals.relative_to(project.root),
            "library.sidecar": library.sidecar.relative_to(project.root),
        }
    )
    return project
