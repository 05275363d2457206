"""What the files of themes and keys said the last time, kept for as long as none of them changes.

Checking them needs a library whose import takes a fifth of the time to the app's first frame, and they hardly ever
change. What is kept is what was checked; where it is missing, damaged or of another version, the files are read.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from textual.theme import Theme

from engine import __version__
from engine.storage.atomic_files import write_text
from engine.storage.untrusted_files import read_json
from tui.places import config_folder, kept_looks_path, shipped_themes_folder, user_themes_folder
from tui.theming.themes import ThemeProblem, load_themes
from tui.theming.user_config import read_config
from tui.theming.user_settings import ConfigProblem, UserConfig, UserSettings

Stamp = tuple[tuple[str, int, int], ...]
"""What tells that a file changed, or who may read it: names, times of the last change, sizes."""


@dataclass(frozen=True)
class Told:
    """What all the files say."""

    themes: dict[str, Theme]
    broken: Sequence[ThemeProblem]
    config: UserConfig


def stamp_of(*folders: Path) -> Stamp:
    """The TOML files of some folders as they are now."""
    found = []
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith(".toml"):
                        told = entry.stat()
                        found.append((entry.path, told.st_ctime_ns, told.st_size))
        except OSError:
            continue
    return tuple(sorted(found))


def read_looks() -> Told:
    """What the files say: as it was kept where they are as they were, else read anew and kept."""
    path, stamp = kept_looks_path(), stamp_of(shipped_themes_folder(), user_themes_folder(), config_folder())
    kept = _kept(path, stamp)
    if kept is not None:
        return kept
    themes, broken = load_themes((shipped_themes_folder(), user_themes_folder()))
    told = Told(themes, broken, read_config(config_folder()))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(_record(told, stamp)))
    except OSError as error:
        logging.getLogger("limner").warning("the themes and keys can't be cached: %s", error)
    return told


def _kept(path: Path, stamp: Stamp) -> Told | None:
    try:
        record: dict[str, Any] = read_json(path)
        if record["version"] != __version__ or record["stamp"] != [list(each) for each in stamp]:
            return None
        config = record["config"]
        return Told(
            {theme["name"]: Theme(**theme) for theme in record["themes"]},
            [ThemeProblem(Path(where), why) for where, why in record["broken"]],
            UserConfig(
                Path(config["path"]),
                UserSettings(**config["settings"]),
                tuple(ConfigProblem(Path(where), line, what) for where, line, what in config["problems"]),
                config["text"],
            ),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _record(told: Told, stamp: Stamp) -> dict[str, Any]:
    config = told.config
    return {
        "version": __version__,
        "stamp": stamp,
        "themes": [asdict(theme) for theme in told.themes.values()],
        "broken": [(str(each.path), each.why) for each in told.broken],
        "config": {
            "path": str(config.path),
            "settings": asdict(config.settings),
            "problems": [(str(each.path), each.line, each.what) for each in config.problems],
            "text": config.text,
        },
    }
