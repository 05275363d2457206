"""Everything that was painted, as the Pictures screen and ``limner pictures`` list it: light rows, thousands of them.

A row of the gallery is read from the database's columns alone. The whole order behind it, which painting another like
it needs, is asked of the queue when it is wanted.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import PictureError
from engine.pictures.orders.face_fix import FaceFix
from engine.pictures.orders.orders import new_picture_path, order_from_settings
from engine.pictures.orders.picture import PictureOrder, PictureState
from engine.pictures.orders.queue import Queue
from engine.project import Project
from engine.prompts.extra_networks import strip
from engine.storage.database import Store
from engine.storage.project_paths import ProjectPaths

# Asked ten thousand times for one look at the gallery.
_DONE = PictureState.DONE.value

UNKNOWN_SEED = -1
"""What stands in the database for a picture from elsewhere that does not tell its seed."""


class Shown(NamedTuple):
    """A picture of the gallery: its columns, in their order in ``COLUMNS``."""

    id: int
    t: float
    """When it was ordered, or when its file was last changed; Unix seconds."""
    state: str
    """A value of ``PictureState``."""
    prompt: str
    negative: str
    lora: str | None
    """The LoRA's file; of a picture from elsewhere, its name."""
    strength: float | None
    seed: int | None
    steps: int | None
    guidance: float | None
    sampler: str | None
    width: int | None
    height: int | None
    path: str
    seconds: float | None
    reason: str | None
    rating: int
    """1 to 5 stars; 0: not rated."""
    favourite: int
    rejected: int
    likeness: float | None
    """0 (somebody else) to 100 (as a real photo); None: not measured, or nothing that could be."""
    outside: int
    """Whether it was made elsewhere and found in the folder."""
    gone: int
    """Whether its file is gone."""

    @property
    def file(self) -> Path:
        """Where it lies, or will."""
        return Path(self.path)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]

    @property
    def lora_name(self) -> str:
        """``jx265-000008``; empty for the base model alone."""
        return self.lora.replace("\\", "/").rpartition("/")[2].removesuffix(".safetensors") if self.lora else ""

    @property
    def run_name(self) -> str:
        """The run whose checkpoint it was painted with; empty where it is none's."""
        parts = (self.lora or "").split("/")
        return parts[-3] if len(parts) > 2 and parts[-2] == "checkpoints" else ""

    @property
    def painted(self) -> bool:
        """Whether there is, or was, a file."""
        return self.state == _DONE


COLUMNS = (
    "id, t, state, prompt, negative, lora, strength, seed, steps, guidance, sampler, width, height, path,"
    " seconds, reason, coalesce(rating, 0), favourite, rejected, likeness, outside, gone"
)


class Gallery:
    """What was painted, failed or was cancelled, of one project."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._paths = store.paths

    def pictures(self) -> list[Shown]:
        """All of them, newest first."""
        query = (
            f"SELECT {COLUMNS} FROM pictures WHERE state IN ('done', 'failed', 'cancelled') ORDER BY t DESC, id DESC"
        )
        return [_shown(Shown._make(row), self._paths) for row in self._store.rows(query)]

    def picture(self, number: int) -> Shown:
        """One picture, one that waits too.

        Raises:
            PictureError: there is none of that number.
        """
        rows = self._store.rows(f"SELECT {COLUMNS} FROM pictures WHERE id = ?", number)
        if not rows:
            raise PictureError(f"there is no picture {number}", "list them with: limner pictures list")
        return _shown(Shown._make(rows[0]), self._paths)

    def some(self, numbers: list[int]) -> list[Shown]:
        """Those of these numbers that are there, in no order."""
        marks = ", ".join("?" * len(numbers))
        rows = self._store.rows(f"SELECT {COLUMNS} FROM pictures WHERE id IN ({marks})", *numbers)
        return [_shown(Shown._make(row), self._paths) for row in rows]


def order_like(project: Project, store: Store, number: int, seed: int) -> PictureOrder:
    """An order for another picture like one of the gallery, with a seed of its own.

    What a picture from elsewhere does not tell is as the settings would have it.

    Raises:
        PictureError: there is none of that number.
        ProjectError: the settings are broken.
    """
    shown = Gallery(store).picture(number)
    path = new_picture_path(project, seed)
    known = Queue(store).picture(number)
    if not shown.outside:
        order = known.order(seed=seed, path=path)
        if order.face_fix is not None and order.face_fix.only:
            # What was begun from is another picture's; this is how that was painted.
            order = replace(order, source=None, face_fix=replace(order.face_fix, only=False))
        return order
    if not shown.prompt:
        raise PictureError(f"{shown.name} does not say its prompt", "write one on the Prompts screen")
    order = order_from_settings(project.settings, shown.prompt, path, seed)
    told: dict[str, Any] = {
        "negative": shown.negative,
        "steps": shown.steps or order.steps,
        "guidance": order.guidance if shown.guidance is None else shown.guidance,
        "width": shown.width or order.width,
        "height": shown.height or order.height,
    }
    if shown.sampler:
        told |= {"sampler": known.sampler, "schedule": known.schedule}
    return replace(order, **told)


def order_face_fix(project: Project, store: Store, number: int) -> PictureOrder:
    """An order for a picture of the gallery with its faces painted anew; a picture of its own.

    Raises:
        PictureError: there is none of that number, or its file is gone.
        ProjectError: the settings are broken.
    """
    shown = Gallery(store).picture(number)
    if not shown.painted or not shown.file.is_file():
        raise PictureError(f"there is no file of picture {number}", "only a painted picture has faces to fix")
    seed = shown.seed or 0
    order = order_like(project, store, number, seed)
    path = new_picture_path(project, seed, "face-fix")
    return replace(order, path=path, source=shown.file, hires=None, face_fix=FaceFix(only=True))


def _shown(picture: Shown, paths: ProjectPaths) -> Shown:
    """The row with full paths, and without what only fills a column that may not be empty."""
    lora = paths.full(picture.lora) if picture.lora else None
    picture = picture._replace(path=paths.full(picture.path), lora=lora)
    if not picture.outside:
        return picture
    loras = strip(picture.prompt).loras if "<lora:" in picture.prompt else ()
    return picture._replace(
        lora=loras[0].name if loras else None,
        strength=loras[0].unet if loras else None,
        seed=None if picture.seed == UNKNOWN_SEED else picture.seed,
        steps=picture.steps or None,
        guidance=picture.guidance if picture.steps else None,
        sampler=picture.sampler if picture.steps else None,
    )
