"""The user's own settings of the app as they were read, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from engine.storage.toml_lines import line_of


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
