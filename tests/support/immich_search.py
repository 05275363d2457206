"""Immich's search by metadata: its flat form, which every version has, and its structured one, since 3.2."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.immich_data import Asset, Immich
from tests.support.immich_questions import Refused, Wrong, ids, kind_of, one_of, refuse, whole_number, yes_or_no

TYPES = ("IMAGE", "VIDEO", "AUDIO", "OTHER")
VISIBILITIES = ("archive", "timeline", "hidden", "locked")
FLAT = ("personIds", "type", "visibility", "page", "withDeleted", "id")
"""What only the flat form has, as far as this server knows it."""

Test = Callable[[Asset], bool]


@dataclass
class Found:
    """A page of what was found."""

    assets: list[Asset]
    exif: bool
    people: bool
    next_page: str | None = None
    next_cursor: str | None = None


@dataclass
class Search:
    """A question of a version; what it does not know is dropped."""

    immich: Immich
    version: tuple[int, ...]
    body: Any

    def found(self) -> Found:
        """Answers it."""
        if not isinstance(self.body, dict):
            if self.version >= (3,):
                told = "undefined" if self.body is None else kind_of(self.body)
                raise refuse([], f"Invalid input: expected object, received {told}", "invalid_type")
            self.body = {}
        if self.version < (3,):
            self.body = {name: value for name, value in self.body.items() if value is not None}
        structured = self.version >= (3, 2) and ("filter" in self.body or "cursor" in self.body)
        if structured:
            for name in FLAT:
                if name in self.body:
                    other = "filter" if "filter" in self.body else "cursor"
                    raise refuse([name], f"Deprecated field {name} cannot be combined with {other}")
        wrong: list[Wrong] = []
        lenient = self.version < (3,)
        page = whole_number("page", self.body.get("page", 1), 1, None, wrong, as_text=lenient)
        size = whole_number("size", self.body.get("size", 250), 1, 1000, wrong, as_text=lenient)
        exif, people = (self._flag(name, wrong) for name in ("withExif", "withPeople"))
        tests = self._structured(wrong) if structured else self._flat(wrong)
        if wrong:
            raise Refused(400, "", "Bad Request", wrong)
        start = self._cursor() if structured else (page - 1) * size
        matching = self._matching(tests)
        found = Found(matching[start : start + size], exif, people)
        if len(matching) > start + size:
            if structured:
                found.next_cursor = base64.urlsafe_b64encode(b'{"o":%d}' % (start + size)).decode().rstrip("=")
            else:
                found.next_page = str(page + 1)
        return found

    def _matching(self, tests: list[Test]) -> list[Asset]:
        """What all of the pages have, the latest first."""
        told = {name: value for name, value in self.body.items() if name not in ("page", "cursor")}
        question = json.dumps([self.version, told])
        if (kept := self.immich.kept.get(question)) is not None:
            return kept
        matching = [each for each in self.immich.assets.values() if all(test(each) for test in tests)]
        matching.sort(key=lambda each: each.taken, reverse=True)
        if self.immich.still:
            self.immich.kept[question] = matching
        return matching

    def _flag(self, name: str, wrong: list[Wrong]) -> bool:
        return yes_or_no(name, self.body.get(name, False), wrong, as_text=self.version < (3,))

    def _flat(self, wrong: list[Wrong]) -> list[Test]:
        body, tests = self.body, list[Test]()
        if "personIds" in body and (wanted := set(ids(["personIds"], body["personIds"], wrong))):
            tests.append(lambda asset: wanted <= _people(asset))
        if "id" in body:
            wanted_id = ids(["id"], [body["id"]], wrong)
            tests.append(lambda asset: asset.id in wanted_id)
        if "type" in body:
            kind = one_of(["type"], body["type"], TYPES, wrong)
            tests.append(lambda asset: asset.kind == kind)
        if not self._flag("withDeleted", wrong):
            tests.append(lambda asset: not asset.trashed)
        if self.version < (1, 133):
            return [*tests, *self._archived(wrong)]
        seen = None if self.version >= (3,) else "timeline"
        if "visibility" in body:
            seen = one_of(["visibility"], body["visibility"], VISIBILITIES, wrong)
        if seen == "locked":
            raise Refused(401, "Elevated permission is required", "Unauthorized")
        return [*tests, lambda asset: asset.visibility == seen if seen else asset.visibility != "locked"]

    def _archived(self, wrong: list[Wrong]) -> list[Test]:
        """What there was before visibility."""
        if "isArchived" in self.body:
            archived = self._flag("isArchived", wrong)
            return [lambda asset: (asset.visibility == "archive") == archived]
        return [] if self._flag("withArchived", wrong) else [lambda asset: asset.visibility != "archive"]

    def _structured(self, wrong: list[Wrong]) -> list[Test]:
        tests: list[Test] = [lambda asset: asset.visibility != "locked"]
        asked = self.body.get("filter", {})
        if not isinstance(asked, dict):
            raise refuse(["filter"], f"Invalid input: expected object, received {kind_of(asked)}", "invalid_type")
        for name, conditions in asked.items():
            path: list[str | int] = ["filter", name]
            if name not in ("personIds", "type", "visibility", "trashedAt", "id"):
                raise refuse(["filter"], f'Unrecognized key: "{name}"', "unrecognized_keys")
            if not isinstance(conditions, dict):
                raise refuse(path, f"Invalid input: expected object, received {kind_of(conditions)}", "invalid_type")
            if not conditions:
                raise refuse(path, "At least one filter condition is required")
            tests += [self._condition(name, which, value, path, wrong) for which, value in conditions.items()]
        return tests

    def _condition(self, name: str, which: str, value: Any, path: list[str | int], wrong: list[Wrong]) -> Test:
        here = [*path, which]
        if name == "personIds" and which in ("any", "all", "none"):
            wanted = set(ids(here, value, wrong))
            if which == "all":
                return lambda asset: wanted <= _people(asset)
            return lambda asset: bool(wanted & _people(asset)) == (which == "any")
        if name == "id" and which in ("eq", "ne"):
            wanted = set(ids(here, [value], wrong))
            return lambda asset: (asset.id in wanted) == (which == "eq")
        if name == "trashedAt" and which in ("eq", "ne") and value is None:
            return lambda asset: asset.trashed == (which == "ne")
        if name in ("type", "visibility") and which in ("eq", "ne", "in", "notIn"):
            values = TYPES if name == "type" else VISIBILITIES
            those = [one_of(here, each, values, wrong) for each in (value if isinstance(value, list) else [value])]
            positive = which in ("eq", "in")
            return lambda asset: ((asset.kind if name == "type" else asset.visibility) in those) == positive
        raise refuse(path, f'Unrecognized key: "{which}"', "unrecognized_keys")

    def _cursor(self) -> int:
        cursor = self.body.get("cursor")
        if cursor is None and "cursor" not in self.body:
            return 0
        if not isinstance(cursor, str):
            raise refuse(["cursor"], f"Invalid input: expected string, received {kind_of(cursor)}", "invalid_type")
        try:
            start = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))["o"]
        except (ValueError, KeyError, TypeError):
            raise Refused(400, "Invalid cursor", "Bad Request") from None
        if not isinstance(start, int) or start < 0:
            raise Refused(400, "Invalid cursor", "Bad Request")
        return start


def _people(asset: Asset) -> set[str]:
    return {face.person.id for face in asset.faces if face.person and not face.deleted}
