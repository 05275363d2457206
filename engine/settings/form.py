"""The settings as a form: what each means, what it may be, how it is written and read as text."""

from __future__ import annotations

import ast
import inspect
import json
import re
import tomllib
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path
from types import NoneType
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from engine.settings.file import Settings
from engine.storage.untrusted_files import parse_toml

_WORDS: dict[type, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}


@dataclass(frozen=True)
class Entry:
    """One setting of the form."""

    key: str
    """Dotted, as ``training.epochs``."""
    meaning: str
    kind: str
    """Allowed values, in words: ``a whole number, 1 to 1,000``."""
    choices: tuple[str, ...]
    """All allowed values, as text; empty where there are too many to list."""
    default: str
    """As text; empty where it is left out."""
    plain: bool
    """Whether typed text is taken literally, without quotes."""

    def text(self, settings: Settings) -> str:
        """Its value as text that ``read`` takes; empty: left out."""
        return _text(getattr(getattr(settings, self._section), self._name), self.plain)

    def by_hand(self, settings: Settings) -> bool:
        """Whether the file sets it."""
        return self._name in getattr(settings, self._section).model_fields_set

    def read(self, text: str) -> Any:
        """What was typed as a value to be checked; None where nothing was."""
        text = text.strip()
        if not text or self.plain:
            return text or None
        try:
            return parse_toml(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text

    @property
    def _section(self) -> str:
        return self.key.partition(".")[0]

    @property
    def _name(self) -> str:
        return self.key.partition(".")[2]


def entries() -> tuple[Entry, ...]:
    """Every setting, in the order of the sections."""
    return tuple(_entries())


def _entries() -> Iterator[Entry]:
    for section, table in Settings.model_fields.items():
        model = table.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        meanings = _meanings(model)
        for name, field in model.model_fields.items():
            kinds = _kinds(field.annotation)
            choices = tuple(each for kind in kinds for each in _choices(kind))
            plain = not choices and all(kind in (str, Path) for kind in kinds)
            default = field.get_default(call_default_factory=True)
            shown = "" if default is PydanticUndefined else _text(default, plain)
            words = _said(kinds, choices, field)
            yield Entry(f"{section}.{name}", meanings.get(name, ""), words, choices, shown, plain)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """The types of an annotation without None."""
    if typing.get_origin(annotation) in (None, tuple, list, dict, typing.Literal):
        return (annotation,)
    return tuple(each for each in typing.get_args(annotation) if each is not NoneType)


def _choices(kind: Any) -> tuple[str, ...]:
    if kind is bool:
        return ("true", "false")
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(str(each.value) for each in kind)
    return tuple(map(str, typing.get_args(kind))) if typing.get_origin(kind) is typing.Literal else ()


def _said(kinds: tuple[Any, ...], choices: tuple[str, ...], field: FieldInfo) -> str:
    if choices:
        said = "one of: " + ", ".join(choices)
    else:
        said = " or ".join(_word(kind) for kind in kinds)
    bounds = {
        name: getattr(each, name) for each in field.metadata for name in ("ge", "gt", "le", "lt") if hasattr(each, name)
    }
    low = f"{bounds['ge']:,}" if "ge" in bounds else f"more than {bounds['gt']:,}" if "gt" in bounds else ""
    high = f"{bounds['le']:,}" if "le" in bounds else f"less than {bounds['lt']:,}" if "lt" in bounds else ""
    if low and high:
        return f"{said}, {low} to {high}" if "ge" in bounds else f"{said}, {low}, at most {high.removesuffix('.0')}"
    return f"{said}, {low}{' or more' if 'ge' in bounds else ''}" if low else f"{said}, up to {high}" if high else said


def _word(kind: Any) -> str:
    origin, of = typing.get_origin(kind), [each for each in typing.get_args(kind) if each is not Ellipsis]
    if origin is dict:
        return 'a table: { "from" = "to" }'
    if origin in (tuple, list):
        named = _choices(of[0])
        what = (
            f" of: {', '.join(named)}"
            if named
            else f" of {len(of)} numbers"
            if len(of) > 1
            else ' of texts: ["one", "two"]'
        )
        return f"a list{what}"
    return _WORDS.get(kind, "text")


def _text(value: Any, plain: bool) -> str:
    """A value as it is typed: TOML, but for names and text."""
    if value is None:
        return ""
    if isinstance(value, Enum):
        return str(value.value)
    if plain or isinstance(value, (str, Path)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_quoted(each) for each in value)}]"
    if isinstance(value, dict):
        return (
            f"{{ {', '.join(f'{_quoted(key)} = {_quoted(each)}' for key, each in value.items())} }}" if value else "{}"
        )
    return _quoted(value)


def _quoted(value: Any) -> str:
    if isinstance(value, Enum):
        value = value.value
    # JSON's text is TOML's, and so are its truth values.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (str, bool)) else str(value)


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """What stands under each attribute in the class, read from its source; that Python itself forgets."""
    try:
        tree = ast.parse(inspect.getsource(model))
    except (OSError, SyntaxError):
        return {}
    found: dict[str, str] = {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for field, below in pairwise(body):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            found[field.target.id] = re.sub(r"\s+", " ", below.value.value.replace("``", "")).strip()
    return found
