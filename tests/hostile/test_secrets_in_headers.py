"""Secrets that travel in a header, and a server that asks for one in the clear."""

from __future__ import annotations

import pytest

from engine.errors import LimnerError, PromptError
from engine.library.address import parse_address
from engine.library.photoprism_http.session import Session
from engine.llm.server import ModelServer
from engine.security.private_files import for_a_header

SECRET = "SECRET-app-password"


@pytest.mark.parametrize("around", ["\n", "\r\n", " ", "\t\n"])
def test_blanks_and_line_ends_that_copying_brings_are_left_out(around: str) -> None:
    assert for_a_header(f"{around}{SECRET}{around}", "the key", PromptError) == SECRET


@pytest.mark.parametrize("within", ["\n", "\r", "\0", "€", "\x1b"])
def test_what_no_header_can_carry_is_refused_and_never_quoted(within: str) -> None:
    secret = f"{SECRET}{within}more"
    with pytest.raises(LimnerError) as library:
        Session(parse_address("http://127.0.0.1:2342"), secret)
    with pytest.raises(PromptError) as model:
        ModelServer("http://127.0.0.1:11434/v1", secret)
    for raised in (library, model):
        assert SECRET not in f"{raised.value.one_line()} {raised.value!r}"
