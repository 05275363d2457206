"""How Immich checks what it is asked: leniently until 2, strictly since 3, with other words for what is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

UUID4 = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}")


@dataclass
class Wrong:
    """A value that is refused."""

    code: str
    path: list[str | int]
    now: str
    """The words since version 3."""
    before: str
    """The words until version 2."""


@dataclass
class Refused(Exception):
    """What is answered instead."""

    status: int
    message: str
    error: str = ""
    wrong: list[Wrong] = field(default_factory=list)


def refuse(path: list[str | int], words: str, code: str = "custom") -> Refused:
    """A refusal of one value, in words that only versions since 3 have."""
    return Refused(400, words, "Bad Request", [Wrong(code, path, words, words)])


def whole_number(
    name: str, value: Any, least: int, most: int | None, wrong: list[Wrong], *, as_text: bool = False
) -> int:
    """A number in bounds; ``as_text`` says that texts count as numbers."""
    if as_text and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        told = f"Invalid input: expected number, received {'NaN' if as_text else kind_of(value)}"
        wrong.append(Wrong("invalid_type", [name], told, f"{name} must be an integer number"))
    elif value != int(value):
        told = "Invalid input: expected int, received number"
        wrong.append(Wrong("invalid_type", [name], told, f"{name} must be an integer number"))
    elif value < least:
        told = f"Too small: expected number to be >={least}"
        wrong.append(Wrong("too_small", [name], told, f"{name} must not be less than {least}"))
    elif most is not None and value > most:
        told = f"Too big: expected number to be <={most}"
        wrong.append(Wrong("too_big", [name], told, f"{name} must not be greater than {most}"))
    else:
        return int(value)
    return least


def yes_or_no(name: str, value: Any, wrong: list[Wrong], *, as_text: bool = False) -> bool:
    """A flag; ``as_text`` says that the words true and false are flags."""
    if as_text and value in ("true", "false"):
        return bool(value == "true")
    if not isinstance(value, bool):
        told = f"Invalid input: expected boolean, received {kind_of(value)}"
        if as_text:
            told = 'Invalid option: expected one of "true"|"false"'
        wrong.append(Wrong("invalid_type", [name], told, f"{name} must be a boolean value"))
        return False
    return value


def one_of(path: list[str | int], value: Any, values: tuple[str, ...], wrong: list[Wrong]) -> str:
    """One of some words."""
    if value not in values:
        told = "Invalid option: expected one of " + "|".join(f'"{each}"' for each in values)
        before = f"{path[0]} must be one of the following values: {', '.join(values)}"
        wrong.append(Wrong("invalid_value", path, told, before))
    return str(value)


def ids(path: list[str | int], value: Any, wrong: list[Wrong]) -> list[str]:
    """A list of ids."""
    if not isinstance(value, list):
        told = f"Invalid input: expected array, received {kind_of(value)}"
        wrong.append(Wrong("invalid_type", path, told, f"{path[0]} must be an array"))
        return []
    for number, each in enumerate(value):
        if not isinstance(each, str) or not UUID4.fullmatch(each):
            before = f"each value in {path[0]} must be a UUID"
            wrong.append(Wrong("invalid_format", [*path, number], "Invalid UUID", before))
    return value


def kind_of(value: Any) -> str:
    """What JavaScript calls a value's type."""
    if isinstance(value, bool):
        return "boolean"
    if value is None:
        return "null"
    return {str: "string", int: "number", float: "number", list: "array"}.get(type(value), "object")
