"""The user's own settings of the app: one TOML file in their config folder.

What is wrong in it is told with its line, and never fatal.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from engine.storage.untrusted_files import parse_toml, read_text
from tui.places import CONFIG_NAME
from tui.theming.user_settings import ConfigProblem, UserConfig, UserSettings


def read_config(folder: Path) -> UserConfig:
    """Reads the user's file; where there is none, or nothing of it can be read, the defaults hold."""
    path = folder / CONFIG_NAME
    try:
        text = read_text(path)
    except FileNotFoundError:
        return UserConfig(path, UserSettings())
    except (OSError, ValueError) as error:
        return UserConfig(path, UserSettings(), (ConfigProblem(path, 0, f"can't be read ({error})"),))
    try:
        record = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+)", str(error))
        why = str(error).partition(" (at ")[0]
        return UserConfig(
            path, UserSettings(), (ConfigProblem(path, int(at[1]) if at else 0, f"not valid TOML: {why}"),), text
        )
    # What checks it takes a while to import, and the app seldom needs it: tui.theming.appearance_cache tells when.
    from tui.theming.user_config_checks import checked

    return checked(UserConfig(path, UserSettings(), (), text), record)


def save_theme(folder: Path, name: str) -> None:
    """Writes the theme's choice into the user's file, and leaves the rest of it as it is.

    Raises:
        OSError: it can't be written.
        ValueError: the file is no TOML.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    from engine.storage.atomic_files import write_text

    path = folder / CONFIG_NAME
    folder.mkdir(parents=True, exist_ok=True)
    try:
        text = read_text(path) if path.exists() else ""
        # The other reader goes deeper than the stack is.
        parse_toml(text)
        document = tomlkit.parse(text)
    except (TOMLKitError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path} is not valid TOML ({error})") from error
    if document.get("theme") != name:
        document["theme"] = name
        write_text(path, tomlkit.dumps(document))
