"""Nothing that comes from outside is read by a new place in the code without its hostile cases."""

from __future__ import annotations

import pytest

from tests.hostile.found import ASKS, PATTERNS, READS, functions_with, modules_with, names_of_tests
from tests.hostile.functions import ASKERS, READERS
from tests.hostile.table import FILES, OURS, SERVERS, TEXTS

KINDS = {"files": (FILES, READS), "servers": (SERVERS, ASKS), "texts": (TEXTS, PATTERNS)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_place_that_takes_in_what_others_wrote_is_listed(kind: str) -> None:
    listed, calls = KINDS[kind]
    missing = modules_with(calls) - set(listed)
    assert not missing, f"give these hostile cases, and list them in tests/hostile/table.py: {sorted(missing)}"


@pytest.mark.parametrize(("calls", "known"), [(READS, READERS), (ASKS, ASKERS)], ids=["files", "servers"])
def test_each_function_that_takes_in_what_others_wrote_is_known(calls: frozenset[str], known: dict[str, str]) -> None:
    found = {f"{module}:{name}" for module, names in functions_with(calls).items() for name in names}
    listed = {f"{module}:{name}" for module, names in known.items() for name in names.split()}
    assert not found - listed, f"give these hostile cases, and list them in functions.py: {sorted(found - listed)}"
    assert not listed - found, f"take these out of functions.py: {sorted(listed - found)}"


@pytest.mark.parametrize("kind", ["files", "servers"])
def test_no_place_is_listed_that_is_none_any_more(kind: str) -> None:
    listed, calls = KINDS[kind]
    assert not set(listed) - modules_with(calls)


def test_every_listed_test_is_there() -> None:
    for told in {told for listed, _ in KINDS.values() for told in listed.values()} - {OURS}:
        file, _, name = told.partition("::")
        assert name in names_of_tests(file), told


def test_a_new_place_would_be_found() -> None:
    assert {"engine.storage.untrusted_files", "engine.security.trust"} <= modules_with(READS)
    assert {"engine.llm.server", "engine.library.web.session"} <= modules_with(ASKS)
    assert modules_with(PATTERNS) >= {"engine.secrets", "tui.terminal.responses"}
