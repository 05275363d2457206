"""Show where Limner keeps its files on this machine."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from engine.errors import NoProject
from engine.project import open_project

CONFIG_NAME = "config.toml"
"""The file's name in the config folder."""


def config_folder() -> Path:
    """The user's own settings: keys, the theme, themes of their own."""
    return Path(platformdirs.user_config_dir("limner", appauthor=False))


def user_themes_folder() -> Path:
    """The user's own themes, one TOML file each."""
    return config_folder() / "themes"


def shipped_themes_folder() -> Path:
    """The themes that come with Limner: in the wheel beside this module, in the source tree beside the packages."""
    here = Path(__file__).resolve().parent
    in_wheel = here / "themes"
    return in_wheel if in_wheel.is_dir() else here.parent / "themes"


def places(folder: Path) -> dict[str, Path]:
    """What is where, by the words that ``limner locate`` uses; the project's only where there is one in ``folder``."""
    from engine.prompts.shared_prompts import shared_path

    found = {
        "configuration": config_folder(),
        "your keys and theme": config_folder() / CONFIG_NAME,
        "your themes": user_themes_folder(),
        "themes": shipped_themes_folder(),
        "your prompts": shared_path(),
        "your wildcards": shared_path().parent / "wildcards",
        "log": log_path(),
    }
    try:
        project = open_project(folder)
    except NoProject:
        return found
    return {
        **found,
        "project": project.root,
        "settings": project.settings_path,
        "database": project.root / "limner.db",
        "dataset": project.dataset,
        "runs": project.runs,
        "pictures": project.pictures,
        "jobs": project.jobs,
        "cache": project.cache,
    }


def kept_looks_path() -> Path:
    """What the files of themes and keys said the last time; safe to delete."""
    return Path(platformdirs.user_cache_dir("limner", appauthor=False)) / "looks.json"


def log_path() -> Path:
    """Where the app writes down its own mistakes."""
    return Path(platformdirs.user_log_dir("limner", appauthor=False)) / "app.log"
