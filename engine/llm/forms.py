"""In which form a model is asked to answer. Servers know different ones, and say no to what they don't know."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Form(StrEnum):
    """How the answer's form is asked for; a server that does not know one is asked for the next."""

    SCHEMA = "json_schema"
    OBJECT = "json_object"
    LINES = "text"

    @property
    def simpler(self) -> Form | None:
        """The next one."""
        return {Form.SCHEMA: Form.OBJECT, Form.OBJECT: Form.LINES}.get(self)

    def asked(self, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        """What a chat completion's body has for it (OpenAI's ``response_format``).

        Args:
            name: what the schema is called.
            schema: the answer's JSON schema.
        """
        if self is Form.SCHEMA:
            kind = {"name": name, "strict": True, "schema": dict(schema)}
            return {"response_format": {"type": "json_schema", "json_schema": kind}}
        return {"response_format": {"type": "json_object"}} if self is Form.OBJECT else {}
