"""The user's own settings of the app: one TOML file in their config folder.

What is wrong in it is told with its line, and never fatal.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from engine.storage.toml_lines import line_of
from engine.storage.untrusted_files import parse_toml, read_text

CONFIG_NAME = "config.toml"
"""The file's name in the config folder."""


@dataclass(frozen=True)
class UserSettings:
    """What users may set for themselves, whatever the project."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    theme: str | None = None
    """The theme by its name; written when one is chosen in the app."""
    bell: bool = True
    """Whether the bell rings when a run ends and the window is not looked at."""
    title: bool = True
    """Whether the terminal's title tells how the run goes."""
    pictures: Literal["auto", "half-blocks", "kitty", "sixel"] = "auto"
    """How pictures are drawn; auto: as well as the terminal can."""
    keys: Mapping[str, str | list[str]] = field(default_factory=dict)
    """Keys by action: ``"faces.keep" = ["k", "space"]``."""


@dataclass(frozen=True)
class ConfigProblem:
    """Something in the file that was left out or will surprise; ``line`` counts from 1, 0 where it is not known."""

    path: Path
    line: int
    what: str

    def one_line(self) -> str:
        """``/home/me/.config/limner/config.toml:7: …``."""
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"


@dataclass(frozen=True)
class UserConfig:
    """The file as it was read: what is right in it, where each entry stands, and what is wrong."""

    path: Path
    settings: UserSettings
    problems: tuple[ConfigProblem, ...] = ()
    text: str = ""

    def line_of(self, *names: str) -> int:
        """The line that sets ``names`` (a table and its key, or a key alone); 0 where it can't be found."""
        return line_of(self.text, names)


def read_config(folder: Path) -> UserConfig:
    """Reads the user's file; where there is none, or nothing of it can be read, everything is as it comes."""
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
            path, UserSettings(), (ConfigProblem(path, int(at[1]) if at else 0, f"no TOML: {why}"),), text
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
        raise ValueError(f"{path} is no TOML ({error})") from error
    if document.get("theme") != name:
        document["theme"] = name
        write_text(path, tomlkit.dumps(document))
