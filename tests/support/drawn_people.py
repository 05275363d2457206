"""Projects about the demo's drawn man: his portraits as training images, the others as other people of the library."""

from __future__ import annotations

from pathlib import Path
from random import Random

from engine.dataset.files.layout import DatasetFolder
from engine.demo.drawing import draw_portrait, random_scene, scene_words
from engine.demo.people import CAST, JAMES
from engine.project import Project, create_project
from tests.support.small_project import SETTINGS


def drawn_project(root: Path, images: int = 6, **changes: object) -> Project:
    """A project with drawn portraits of James to train on; ``changes`` are settings with ``__`` for the dot."""
    project = create_project(root, trigger="jx265", class_word="man")
    project.change({**SETTINGS, **{key.replace("__", "."): value for key, value in changes.items()}})
    folder, chance = DatasetFolder(project).path, Random(3)
    folder.mkdir(parents=True)
    for number in range(1, images + 1):
        scene = random_scene(chance)
        draw_portrait(JAMES, scene).save(folder / f"{number:04d}.png")
        (folder / f"{number:04d}.txt").write_text(f"jx265 man, {', '.join(scene_words(scene))}\n", "utf-8")
    return project


def other_people(folder: Path, portraits: int = 4) -> dict[str, list[Path]]:
    """Portraits of everybody else in the demo's cast."""
    chance, found = Random(4), {}
    folder.mkdir(parents=True, exist_ok=True)
    for person in CAST[1:]:
        found[person.name] = [folder / f"{person.name}{number}.png" for number in range(portraits)]
        for path in found[person.name]:
            draw_portrait(person, random_scene(chance), 128).save(path)
    return found
