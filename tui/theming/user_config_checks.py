"""Checking the user's own settings: each entry that is wrong is left out and told, the rest holds."""

from __future__ import annotations

import difflib
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tui.theming.user_settings import ConfigProblem, UserConfig, UserSettings

_KNOWN = tuple(each.name for each in fields(UserSettings))
_CHECK = TypeAdapter(UserSettings)


def checked(config: UserConfig, record: dict[str, Any]) -> UserConfig:
    """The entries that are right, and a problem for each that is not."""
    problems: list[ConfigProblem] = []
    if isinstance(record.get("keys"), dict):
        record = {**record, "keys": _flat(record["keys"])}
    while True:
        try:
            settings = _CHECK.validate_python(record)
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
        if each["type"] == "unexpected_keyword_argument":
            near = difflib.get_close_matches(names[0], _KNOWN, n=1)
            found[names] = f"unknown key {names[0]}" + (f"; did you mean {near[0]}?" if near else "")
        elif depth == 2:
            found[names] = f'{names[1]} needs a key or a list of keys: ["k", "space"]'
        else:
            found.setdefault(names, f"{names[0]}: {each['msg'].lower()}")
    return list(found.items())


def _flat(table: dict[str, Any], before: str = "") -> dict[str, Any]:
    """``[keys.faces] keep = "k"`` and ``faces.keep = "k"`` mean what ``"faces.keep" = "k"`` means."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat.update(_flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value})
    return flat
