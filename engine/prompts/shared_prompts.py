"""Prompts that every project shares: those that Limner comes with, and the user's own.

The user's lie in ``prompts.toml`` in their data folder, to be edited by hand as well; comments stay.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import PromptError
from engine.settings.section import what_must_be
from engine.storage.atomic_files import write_text
from engine.storage.untrusted_files import parse_toml, read_text


class _Written(BaseModel):
    """A prompt as it stands in such a file."""

    model_config = ConfigDict(extra="forbid")

    text: str = ""
    negative: str = ""
    name: str = ""
    tags: tuple[str, ...] = ()
    rating: Annotated[int, Field(ge=0, le=5)] = 0


class _File(BaseModel):
    """``prompts.toml``."""

    model_config = ConfigDict(extra="forbid")

    prompts: tuple[_Written, ...] = ()


@dataclass(frozen=True)
class SharedPrompt:
    """A prompt of no project: what is to be on the picture, what is not, or both."""

    text: str
    """With ``{trigger}`` and ``{class}`` for the person's words."""
    negative: str = ""
    name: str = ""
    tags: tuple[str, ...] = ()
    rating: int = 0
    """0 to 5 stars."""


def shared_path() -> Path:
    """The user's own ``prompts.toml``."""
    return Path(platformdirs.user_data_dir("limner", appauthor=False)) / "prompts.toml"


def starter_prompts() -> tuple[SharedPrompt, ...]:
    """Those that Limner comes with."""
    return _parsed(files("engine.prompts").joinpath("starter.toml").read_text("utf-8"), "starter.toml")


def shared_prompts(path: Path | None = None) -> tuple[SharedPrompt, ...]:
    """The user's own; none where there is no file.

    Raises:
        PromptError: the file is broken; names it.
    """
    path = path or shared_path()
    try:
        text = read_text(path)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise PromptError(f"{path} can't be read ({error})", "fix its permissions or its encoding") from error
    return _parsed(text, str(path))


def share(prompts: list[SharedPrompt], path: Path | None = None) -> int:
    """Adds prompts to the user's own. One that is there already stays as it is. Returns how many were new.

    Raises:
        PromptError: the file is broken or can't be written.
    """
    path = path or shared_path()
    there = {(each.text, each.negative) for each in shared_prompts(path)}
    new = [each for each in prompts if (each.text, each.negative) not in there]
    document = tomlkit.parse(read_text(path)) if path.exists() else tomlkit.document()
    listed = document.setdefault("prompts", tomlkit.aot())
    for each in dict.fromkeys(new):
        table = tomlkit.table()
        for key, value in _record(each).items():
            table[key] = value
        listed.append(table)
    if new:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, tomlkit.dumps(document))
        except OSError as error:
            raise PromptError(f"{path} can't be written ({error.strerror})", "fix its permissions") from error
    return len(dict.fromkeys(new))


def _record(prompt: SharedPrompt) -> dict[str, Any]:
    record = {"name": prompt.name, "text": prompt.text, "negative": prompt.negative, "tags": list(prompt.tags)}
    return {key: value for key, value in {**record, "rating": prompt.rating}.items() if value}


def _parsed(text: str, name: str) -> tuple[SharedPrompt, ...]:
    try:
        found = _File.model_validate(parse_toml(text))
    except tomllib.TOMLDecodeError as error:
        raise PromptError(f"{name} is not valid TOML ({error})", "fix that line") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PromptError(f"{name}: {where} is invalid", what_must_be(first)) from error
    return tuple(SharedPrompt(**each.model_dump()) for each in found.prompts if each.text or each.negative)
