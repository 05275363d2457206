"""A small project for tests that train and paint: the tiny base model, a few drawn images with captions."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from engine.dataset.folder import DatasetFolder
from engine.project import Project, create_project

COLOURS = ("red", "blue", "green", "white", "black", "yellow")

SETTINGS = {
    "base.model": "demo",
    "training.repeats": 2,
    "training.epochs": 2,
    "training.batch": 2,
    "training.rank": 4,
    "training.alpha": 2.0,
    "training.learning_rate": 5e-3,
    "painting.steps": 3,
    "painting.guidance": 3.0,
    "painting.idle_seconds": 1.0,
}
"""What keeps a test quick."""


def small_project(root: Path, images: int = 3, **changes: object) -> Project:
    """A project with ``images`` training images; ``changes`` are settings with ``__`` for the dot."""
    project = create_project(root, trigger="jx265", class_word="man")
    project.change({**SETTINGS, **{key.replace("__", "."): value for key, value in changes.items()}})
    folder = DatasetFolder(project).path
    folder.mkdir(parents=True)
    for number in range(images):
        portrait(number).save(folder / f"{number + 1:04d}.png")
        (folder / f"{number + 1:04d}.txt").write_text(f"jx265 man, {COLOURS[number % 6]} shirt\n", "utf-8")
    return project


def portrait(number: int, side: int = 96) -> Image.Image:
    """A face that is told apart from the others by its colours."""
    image = Image.new("RGB", (side, side), COLOURS[number % 6])
    pen = ImageDraw.Draw(image)
    pen.ellipse((side * 0.25, side * 0.15, side * 0.75, side * 0.8), fill=(220 - 20 * number, 170, 140))
    for x in (0.4, 0.6):
        pen.ellipse((side * x - 4, side * 0.4 - 4, side * x + 4, side * 0.4 + 4), fill=(20, 20, 20 * number))
    return image
