"""The whole of ``limner.toml``: read strictly, edited without losing comments."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, MutableMapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel, Field, ValidationError
from tomlkit.exceptions import TOMLKitError

from engine.errors import ProjectError
from engine.settings.captions import CaptionsSettings
from engine.settings.models import BaseSettings, LanguageModelSettings
from engine.settings.painting import PaintingSettings
from engine.settings.section import SECRET, TWO_NAMES, Section, what_must_be
from engine.settings.sources import FacesSettings, LibrarySettings, PersonSettings
from engine.settings.training import TrainingSettings
from engine.storage.atomic_files import write_text
from engine.storage.file_locks import file_lock
from engine.storage.os_errors import explained
from engine.storage.toml_lines import line_of
from engine.storage.untrusted_files import parse_toml, read_text

LONGEST_SHOWN = 80
"""Letters of an invalid value."""


class Settings(Section):
    """A project's settings, as ``limner.toml`` holds them."""

    person: PersonSettings = Field(default_factory=PersonSettings)
    library: LibrarySettings = Field(default_factory=LibrarySettings)
    faces: FacesSettings = Field(default_factory=FacesSettings)
    captions: CaptionsSettings = Field(default_factory=CaptionsSettings)
    base: BaseSettings = Field(default_factory=BaseSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    painting: PaintingSettings = Field(default_factory=PaintingSettings)
    language_model: LanguageModelSettings = Field(default_factory=LanguageModelSettings)


def read_settings(path: Path) -> Settings:
    """Reads ``limner.toml``.

    Raises:
        ProjectError: not there, not TOML, or a key that is unknown or out of range; names file, line and key.
    """
    try:
        text = read_text(path)
        record = parse_toml(text)
    except FileNotFoundError as error:
        raise ProjectError(f"there is no {path}", "make a project with: limner new DIR") from error
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(f"{path} is not valid TOML ({error})", "fix that line") from error
    except (OSError, ValueError) as error:
        raise ProjectError(f"{path} can't be read ({_why(error)})", "fix its permissions or its encoding") from error
    try:
        return Settings.model_validate(record)
    except ValidationError as error:
        raise ProjectError(*_explain(path, error, text)) from error


def change_settings(path: Path, changes: dict[str, Any]) -> Settings:
    """Writes some settings, leaving everything else of the file as it is, comments too.

    Args:
        path: the ``limner.toml``.
        changes: dotted keys such as ``library.url`` to values; None takes the key out.

    Raises:
        ProjectError: the file is broken, or the result would be.
        DiskFull: there is no room to write it; it stays as it was.
    """
    # Read and written in one turn: what two apps change at once is both there.
    with explained(path), file_lock(path.parent):
        document = _document(path)
        for dotted, value in changes.items():
            section, key = current_name(dotted).split(".")
            table = document.setdefault(section, tomlkit.table())
            if not isinstance(table, MutableMapping):
                raise ProjectError(f"{path}: {section} is not a table", f"write [{section}]")
            # An old name stays, with its comments, where the user wrote it.
            key = next((old for old, new in _renamed(section).items() if new == key and old in table), key)
            if value is None:
                table.pop(key, None)
            else:
                table[key] = str(value) if isinstance(value, (Path, StrEnum)) else value
        text = tomlkit.dumps(document)
        try:
            settings = Settings.model_validate(parse_toml(text))
        except ValidationError as error:
            raise ProjectError(*_explain(path, error)) from error
        write_text(path, text)
        return settings


def with_changes(settings: Settings, changes: dict[str, Any]) -> Settings:
    """The settings with some of them changed, for one run; nothing is written.

    Args:
        settings: what is changed from.
        changes: dotted keys such as ``training.epochs`` to values; text is read as the setting's own type.

    Raises:
        ProjectError: an unknown key, or an invalid value.
    """
    # Only what was set by hand, so that what was left out stays so: presets may fill it in.
    record = settings.model_dump(exclude_unset=True)
    known = settings.model_dump()
    for asked, value in changes.items():
        dotted = current_name(asked)
        section, _, key = dotted.partition(".")
        if key not in known.get(section, {}):
            near = difflib.get_close_matches(dotted, [each for each in _all_keys() if "." in each], n=1)
            raise ProjectError(f"unknown setting {dotted}", f"did you mean {near[0]}?" if near else "see limner.toml")
        record.setdefault(section, {})[key] = value
    try:
        return Settings.model_validate(record)
    except ValidationError as error:
        what, fix = _explain(Path("the settings"), error)
        raise ProjectError(what, fix) from error


def current_name(dotted: str) -> str:
    """A setting's name now: ``training.batch`` of an older Limner is ``training.batch_size``."""
    section, _, key = dotted.partition(".")
    return f"{section}.{_renamed(section).get(key, key)}" if key else dotted


def old_names(path: Path) -> dict[str, str]:
    """The settings that a ``limner.toml`` has under their old names, dotted: the old name to the new one. A file that
    can't be read has none."""
    try:
        record = parse_toml(read_text(path))
    except (OSError, ValueError):
        return {}
    return {
        f"{section}.{key}": current_name(f"{section}.{key}")
        for section, table in record.items()
        if isinstance(table, dict)
        for key in table
        if key in _renamed(section)
    }


def _renamed(section: str) -> Mapping[str, str]:
    """The old names of a section's settings, to the new ones."""
    field = Settings.model_fields.get(section)
    model = field.annotation if field is not None else None
    return model.renamed if isinstance(model, type) and issubclass(model, Section) else {}


def _as_written(names: Sequence[str | int]) -> Sequence[str | int]:
    """Where a value stands in a file that has it under its old name."""
    if len(names) < 2:
        return names
    old = {new: old for old, new in _renamed(str(names[0])).items()}
    return (names[0], old.get(str(names[1]), names[1]), *names[2:])


def _why(error: Exception) -> str:
    """What an error says, without the path that is told already."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _document(path: Path) -> tomlkit.TOMLDocument:
    """The file with its comments. Raises ProjectError where it can't be read."""
    try:
        text = read_text(path) if path.exists() else ""
        # The other reader goes deeper than the stack is.
        parse_toml(text)
        return tomlkit.parse(text)
    except (TOMLKitError, tomllib.TOMLDecodeError) as error:
        raise ProjectError(f"{path} is not valid TOML ({error})", "fix that line") from error
    except ValueError as error:
        raise ProjectError(f"{path} can't be read ({error})", "fix its encoding") from error


def _explain(path: Path, error: ValidationError, text: str = "") -> tuple[str, str]:
    """What is wrong with the first bad key, where it stands, and what to write instead."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    line = max(line_of(text, names) for names in (first["loc"], _as_written(first["loc"])))
    where = f"{path}:{line}" if line else str(path)
    if first["type"] == SECRET:
        # Not quoted: what is refused is a secret.
        return f"{where}: {key} holds a password, a token or a key, which would be copied and shown", _instead(key)
    if first["type"] == TWO_NAMES:
        return f"{where}: {key} has one setting twice", first["msg"]
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, _all_keys(), n=1)
        fix = f"did you mean {near[0]}?" if near else "take it out"
        return f"{where}: unknown key {key}", fix
    return f"{where}: {key} = {_shortly(first.get('input'))} is invalid", what_must_be(first)


def _instead(key: str) -> str:
    """Where a secret belongs that a setting held."""
    if key == "library.url":
        return "remove it and set LIMNER_DB_PASSWORD, or leave it to the keyring or the prompt"
    if key.endswith(".url"):
        return "remove it and set LIMNER_LLM_KEY, or leave it to the keyring"
    return "remove it; a hub token belongs in HF_TOKEN"


def _shortly(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[: LONGEST_SHOWN - 1]}…"


def _all_keys() -> list[str]:
    """Every dotted key that a settings file may hold."""
    keys: list[str] = []
    for section, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            keys += [f"{section}.{key}" for key in model.model_fields]
    return keys + list(Settings.model_fields)
