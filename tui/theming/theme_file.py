"""A theme's file: what it may hold, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from textual.color import Color, ColorParseError
from textual.theme import Theme

from engine.storage.toml_lines import line_of
from engine.storage.untrusted_files import parse_toml, read_text

Variable = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=60)]

Value = Annotated[str, Field(pattern=r"^[\w#%.,() +-]+$", max_length=100)]
"""A colour, a text style, a number: what is neither would end a stylesheet, and the app with it."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ThemeColors(_Table):
    """The colours that Textual derives all its shades from: ``#rrggbb``, a colour's name, or for a theme that is
    ``ansi`` the terminal's own, ``ansi_blue`` or ``ansi_default``."""

    primary: str
    secondary: str | None = None
    accent: str | None = None
    warning: str | None = None
    error: str | None = None
    success: str | None = None
    foreground: str
    background: str
    surface: str | None = None
    panel: str | None = None


class ThemeInk(_Table):
    """What Limner writes with. Left out: taken from the colours."""

    strong: str | None = None
    """Titles and values that matter."""
    muted: str | None = None
    """What is settled or explains."""
    faint: str | None = None
    """Lines and empty bars."""
    active: str | None = None
    """What is active: the cursor, the screen shown, the average."""
    good: str | None = None
    """Kept, passed, done."""
    bad: str | None = None
    """Rejected, failed."""
    attention: str | None = None
    """What wants attention."""


class ThemeFile(_Table):
    """A theme's file."""

    name: str = Field(min_length=1, pattern=r"^[\w-]+$")
    dark: bool = True
    ansi: bool = False
    """Whether the terminal's own 16 colours are used as they are."""
    colors: ThemeColors
    ink: ThemeInk = Field(default_factory=ThemeInk)
    variables: dict[Variable, Value] = Field(default_factory=dict)
    """Any of Textual's own theme variables, for those who want more."""


def ink_variables(colors: ThemeColors, ink: ThemeInk) -> dict[str, str]:
    """The ``ink-…`` variables that stylesheets and drawn widgets use.

    Raises:
        ColorParseError: a value is not a colour.
    """
    paper, text = Color.parse(colors.background), Color.parse(colors.foreground)
    fallback = {
        "strong": text.hex,
        "muted": text.blend(paper, 0.45).hex,
        "faint": text.blend(paper, 0.75).hex,
        "active": colors.accent or colors.primary,
        "good": colors.success or colors.primary,
        "bad": colors.error or colors.primary,
        "attention": colors.warning or colors.primary,
    }
    chosen = {name: value for name, value in ink.model_dump().items() if value is not None}
    return {f"ink-{name}": Color.parse(value).hex for name, value in {**fallback, **chosen}.items()}


def read_theme(path: Path) -> Theme:
    """Reads one theme's file.

    Raises:
        ValueError: it can't be read, or something in it is invalid; the message is one line.
    """
    text = ""
    try:
        text = read_text(path)
        record: dict[str, Any] = parse_toml(text)
        file = ThemeFile.model_validate(record)
        colors: dict[str, Any] = {
            name: _color(name, value) for name, value in file.colors.model_dump().items() if value is not None
        }
        variables = {**_chrome(), **ink_variables(file.colors, file.ink), **file.variables}
        return Theme(name=file.name, dark=file.dark, ansi=file.ansi, variables=variables, **colors)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ValueError(f"{_line(text, first['loc'])}{key}: {first['msg'].lower()}") from error
    except _NoColour as error:
        raise ValueError(f"{_line(text, error.names)}{error}") from error
    except ColorParseError as error:
        raise ValueError(str(error)) from error
    except OSError as error:
        raise ValueError(f"can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"can't be read ({error})") from error


def _color(name: str, value: str) -> str:
    try:
        return Color.parse(value).hex
    except ColorParseError as error:
        raise _NoColour(("colors", name), value) from error


class _NoColour(ValueError):
    def __init__(self, names: tuple[str, ...], value: str) -> None:
        super().__init__(f"{'.'.join(names)}: {value[:60]!r} is not a colour")
        self.names = names


def _line(text: str, names: Sequence[str | int]) -> str:
    line = line_of(text, names)
    return f"line {line}: " if line else ""


def _chrome() -> dict[str, str]:
    """Textual's own variables that fit no theme of ours by their defaults."""
    return {"block-cursor-text-style": "none", "input-cursor-text-style": "reverse"}
