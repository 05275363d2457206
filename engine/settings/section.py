"""What every table of the settings has in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from engine.security.secret_check import LONGEST, holds_secret

SECRET = "holds_a_secret"
"""The type of the error of a setting that holds one; its value is shown to nobody."""

TWO_NAMES = "two_names"
"""The type of the error of a setting that stands under its old name and its new one."""

PLAIN = {
    "string_pattern_mismatch": "write one word, without spaces or commas",
    "string_too_short": "write something, it can't be empty",
}
"""Pydantic's errors of these types, in a user's words."""


class Section(BaseModel):
    """A table of the settings: unknown keys are errors, every change is checked, no place holds a secret."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    words: ClassVar[frozenset[str]] = frozenset()
    """Fields that hold words and no place: prompts, names of people. All others are looked at."""
    names: ClassVar[frozenset[str]] = frozenset()
    """Fields that hold a server's name of something, such as ``llava:7b@latest``."""

    renamed: ClassVar[Mapping[str, str]] = {}
    """Fields that had another name in an older Limner: the old name, which still works, to the new one."""

    @model_validator(mode="before")
    @classmethod
    def _new_names(cls, values: Any) -> Any:
        """Takes what stands under an old name."""
        if not isinstance(values, dict) or not (old := cls.renamed.keys() & values.keys()):
            return values
        for name in old:
            if cls.renamed[name] in values:
                told = f"{name} is the old name of {cls.renamed[name]}: keep one of them"
                raise PydanticCustomError(TWO_NAMES, "{told}", {"told": told})
        return {cls.renamed.get(name, name): value for name, value in values.items()}

    @field_validator("*", mode="before")
    @classmethod
    def _no_secrets(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuses an address, a path or a hub name that holds a password, a token or a key."""
        if info.field_name in cls.words or _is_table(cls.model_fields[info.field_name or ""].annotation):
            return value
        for text in _texts(value):
            if len(text) > LONGEST or "\0" in text:
                raise PydanticCustomError("no_place", f"write at most {LONGEST:,} letters, without a NUL")
            if holds_secret(text, bare=info.field_name not in cls.names):
                raise PydanticCustomError(SECRET, "remove the password, token or key from it")
        return value


def _is_table(kind: Any) -> bool:
    """Whether a field is a table of its own, which looks at its fields itself."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _texts(value: Any) -> Iterator[str]:
    """The texts of a setting, one level deep."""
    if isinstance(value, (str, Path)):
        yield str(value)
    elif isinstance(value, Mapping):
        yield from (str(each) for each in (*value.keys(), *value.values()) if isinstance(each, (str, Path)))
    elif isinstance(value, (list, tuple)):
        yield from (str(each) for each in value if isinstance(each, (str, Path)))


def what_must_be(error: ErrorDetails) -> str:
    """What a value must be instead, in a user's words: ``must be greater than or equal to 1``."""
    told = error["msg"].lower().removeprefix("value error, ")
    return PLAIN.get(error["type"], told.replace("input should", "must", 1))
