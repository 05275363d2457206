"""The user's own settings of the app: one TOML file in their config folder.

What is wrong in it is told with its line, and never fatal.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.settings.lines import line_of

CONFIG_NAME = "config.toml"
"""The file's name in the config folder."""


class UserSettings(BaseModel):
    """What users may set for themselves, whatever the project."""

    model_config = ConfigDict(extra="forbid")

    theme: str | None = None
    """The theme by its name; written when one is chosen in the app."""
    bell: bool = True
    """Whether the bell rings when a run ends and the window is not looked at."""
    title: bool = True
    """Whether the terminal's title tells how the run goes."""
    pictures: Literal["auto", "half-blocks", "kitty", "sixel"] = "auto"
    """How pictures are drawn; auto: as well as the terminal can."""
    keys: dict[str, str | list[str]] = Field(default_factory=dict)
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
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return UserConfig(path, UserSettings())
    except (OSError, UnicodeDecodeError) as error:
        return UserConfig(path, UserSettings(), (ConfigProblem(path, 0, f"can't be read ({error})"),))
    try:
        record = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+)", str(error))
        why = str(error).partition(" (at ")[0]
        return UserConfig(
            path, UserSettings(), (ConfigProblem(path, int(at[1]) if at else 0, f"no TOML: {why}"),), text
        )
    return _checked(UserConfig(path, UserSettings(), (), text), record)


def save_theme(folder: Path, name: str) -> None:
    """Writes the theme's choice into the user's file, and leaves the rest of it as it is.

    Raises:
        OSError: it can't be written.
        ValueError: the file is no TOML.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    from engine.jobs.folder import write_whole

    path = folder / CONFIG_NAME
    folder.mkdir(parents=True, exist_ok=True)
    try:
        document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
    except TOMLKitError as error:
        raise ValueError(f"{path} is no TOML ({error})") from error
    if document.get("theme") != name:
        document["theme"] = name
        write_whole(path, tomlkit.dumps(document))


def _checked(config: UserConfig, record: dict[str, Any]) -> UserConfig:
    """The entries that are right, and a problem for each that is not."""
    problems: list[ConfigProblem] = []
    if isinstance(record.get("keys"), dict):
        record = {**record, "keys": _flat(record["keys"])}
    while True:
        try:
            settings = UserSettings.model_validate(record)
            return UserConfig(config.path, settings, tuple(problems), config.text)
        except ValidationError as error:
            for names, what in _reasons(error):
                problems.append(ConfigProblem(config.path, config.line_of(*names), what))
                holder = record
                for name in names[:-1]:
                    holder = holder[name]
                holder.pop(names[-1], None)


def _reasons(error: ValidationError) -> list[tuple[tuple[str, ...], str]]:
    """Each wrong entry by its names, and what is wrong with it."""
    found: dict[tuple[str, ...], str] = {}
    for each in error.errors():
        depth = 2 if each["loc"][0] == "keys" and len(each["loc"]) > 1 else 1
        names = tuple(str(part) for part in each["loc"][:depth])
        if each["type"] == "extra_forbidden":
            near = difflib.get_close_matches(names[0], UserSettings.model_fields, n=1)
            found[names] = f"unknown key {names[0]}" + (f"; did you mean {near[0]}?" if near else "")
        elif depth == 2:
            found[names] = f'{names[1]} wants a key or a list of keys: ["k", "space"]'
        else:
            found.setdefault(names, f"{names[0]}: {each['msg'].lower()}")
    return list(found.items())


def _flat(table: dict[str, Any], before: str = "") -> dict[str, Any]:
    """``[keys.faces] keep = "k"`` and ``faces.keep = "k"`` mean what ``"faces.keep" = "k"`` means."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat.update(_flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value})
    return flat
