"""The prompts of a bundle that anybody may have made: each is what a prompt is, or the bundle is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from engine.bundle.bundle import PROMPT_COLUMNS
from engine.bundle.contents import BundleError, no_bundle
from engine.project import Project
from engine.prompts.store import Mark
from engine.storage.untrusted_files import parse_json, read_text

LARGEST = 50_000_000
"""Bytes of the file, which is read as one: it takes several times as much memory."""

_Number = Annotated[int, Field(ge=1, le=2**53)]
_Text = Annotated[str, Field(max_length=100_000)]


class _Packed(BaseModel):
    """A prompt as a bundle has it."""

    model_config = ConfigDict(strict=True, extra="ignore")

    id: _Number
    t: Annotated[float, Field(ge=0, le=1e11)]
    text: _Text
    negative: _Text
    parent_id: _Number | None
    rating: Annotated[int, Field(ge=-10, le=10)]
    name: _Text
    tags: _Text
    mark: str
    made_by: _Text

    @field_validator("tags")
    @classmethod
    def _are_words(cls, told: str) -> str:
        TypeAdapter(list[str]).validate_python(parse_json(told), strict=True)
        return told

    @field_validator("made_by")
    @classmethod
    def _is_a_record(cls, told: str) -> str:
        TypeAdapter(dict[str, Any]).validate_python(parse_json(told), strict=True)
        return told

    @field_validator("mark")
    @classmethod
    def _is_a_mark(cls, told: str) -> str:
        return Mark(told).value


def take_prompts(project: Project, path: Path) -> None:
    """Writes the prompts of a bundle's file into the project's store.

    Raises:
        BundleError: there is no such file, or one of them is none.
    """
    try:
        text = read_text(path, LARGEST)
        # Half a character, which JSON can spell, is nothing that a store or a terminal takes.
        prompts = TypeAdapter(list[_Packed]).validate_python(parse_json(text))
        rows = [tuple(getattr(each, column) for column in PROMPT_COLUMNS) for each in prompts]
        json.dumps(rows, ensure_ascii=False).encode("utf-8")
    except ValidationError as error:
        where = ".".join(str(each) for each in error.errors()[0]["loc"])
        raise BundleError(f"the bundle holds an invalid prompt (at {where[:80]})", "make it again") from error
    except (OSError, ValueError, RecursionError) as error:
        raise no_bundle() from error
    known = {each.id for each in prompts}
    if not all(each.parent_id is None or (each.parent_id in known and each.parent_id < each.id) for each in prompts):
        raise BundleError("the bundle holds a prompt whose parent is missing", "make it again")
    # A prompt's parent is older than itself, so its number is lower.
    rows.sort(key=lambda row: row[0])
    marks = ", ".join("?" for _ in PROMPT_COLUMNS)
    with project.store() as store, store.change() as change:
        change.executemany(f"INSERT OR IGNORE INTO prompts ({', '.join(PROMPT_COLUMNS)}) VALUES ({marks})", rows)
