"""What every table of the settings has in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from engine.security.secret_check import LONGEST, holds_secret

SECRET = "holds_a_secret"
"""The type of the error of a setting that holds one; its value is shown to nobody."""


class Section(BaseModel):
    """A table of the settings: unknown keys are errors, every change is checked, no place holds a secret."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    words: ClassVar[frozenset[str]] = frozenset()
    """Fields that hold words and no place: prompts, names of people. All others are looked at."""
    names: ClassVar[frozenset[str]] = frozenset()
    """Fields that hold a server's name of something, such as ``llava:7b@latest``."""

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
                raise PydanticCustomError(SECRET, "take the password, token or key out of it")
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
