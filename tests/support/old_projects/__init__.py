"""Projects that an earlier Limner made, as text: its database, settings, manifest and captions."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from PIL import Image

from engine.project import Project

FOLDER = Path(__file__).parent


def unpack(name: str, here: Path, image_folder: str) -> Project:
    """Puts a project of version 8 on disk as it was left, its library below ``here``; its images are flat ones."""
    source, root = FOLDER / name, here / "project"
    images = root / "dataset" / image_folder
    images.mkdir(parents=True)

    def text(part: str) -> str:
        return (source / part).read_text("utf-8").replace("{HERE}", str(here))

    (root / "limner.toml").write_text(text("limner.toml"), "utf-8")
    (root / "dataset/manifest.json").write_text(text("manifest.json"), "utf-8")
    for each in source.glob("*.txt"):
        shutil.copy(each, images / each.name)
        Image.new("RGB", (1024, 1024), "grey").save(images / f"{each.stem}.png")
    with closing(sqlite3.connect(root / "limner.db")) as database:
        database.executescript(text("limner.sql"))
    return Project(root)
