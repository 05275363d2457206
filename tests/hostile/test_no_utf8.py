"""Bytes that are no UTF-8, in what is typed and in the names of files and folders, are told in one line or kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.library.address import parse_address
from engine.project import Project
from tests.commands.conftest import Run, run  # noqa: F401

ODD = os.fsdecode(b"a\xffb")
"""As Python gives a name or an argument with such a byte."""

COMMANDS = [
    ("connect", ODD),
    ("connect", f"folder://{ODD}"),
    *(
        ("connect", f"{scheme}://{host}")
        for scheme in ("http", "mysql")
        for host in (ODD, "a..b", "a" * 64, "xn--\u00fc")
    ),
    *(("vary", "a man", "--with", "llm", "--url", f"http://{host}/v1") for host in (ODD, "a..b", "a" * 64)),
    ("trust", ODD),
    ("trust", f"https://{ODD}"),
    ("vary", f"a {ODD} man, in a park", "--count", "2"),
    ("vary", f"a {ODD} man, in a park", "--count", "2", "--json"),
    ("vary", "a man", "--with", "llm", "--url", ODD),
    ("prompt", "show", f"a {ODD}"),
    ("prompt", "show", f"a {ODD}", "--json"),
    ("prompt", "add", f"a {ODD}"),
    ("prompt", "import", ODD),
    ("lora", "show", ODD),
    ("paint", f"a {ODD}"),
    ("paint", "a man", "--lora", ODD),
    ("estimate", "--set", f"base.model={ODD}"),
    ("estimate", "--set", f"training.network_weights={ODD}"),
    ("faces", "list", ODD),
    ("pictures", "list", ODD),
    ("pictures", "show", ODD),
    ("watch", ODD),
    ("grid", f"prompt={ODD}"),
    ("export", ODD),
    ("unbundle", ODD, ODD),
    ("bundle", "-o", ODD),
    (ODD,),
]


def test_arguments_that_are_no_utf8_end_in_no_traceback(run: Run, project: Project) -> None:  # noqa: F811
    for words in COMMANDS:
        done = run(*words)
        assert "Traceback" not in done.err, (words, done.err[-600:])
        # Whatever is printed can be printed anywhere.
        (done.out + done.err).encode("utf-8", "surrogatepass")
        assert done.code in (0, 1, 2), words
        assert "\udcff" not in done.out, words


@pytest.mark.parametrize("words", [("faces", "list"), ("runs", "--json"), ("doctor", "--json"), ("prompt", "list")])
def test_a_project_in_a_folder_that_is_no_utf8_is_opened(
    words: tuple[str, ...],
    run: Run,  # noqa: F811
    tmp_path: Path,
) -> None:
    folder = tmp_path / ODD
    assert run("new", folder).code == 0
    done = run("-C", folder, *words)
    assert done.code == 0, done.err
    assert "\udcff" not in done.out + done.err


def test_a_librarys_address_keeps_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    (tmp_path / ODD).mkdir()
    (tmp_path / ODD / "index.db").touch()
    for typed in (f"folder://{tmp_path}/{ODD}", f"{tmp_path}/{ODD}/index.db"):
        address = parse_address(typed)
        address.url.encode("ascii")
        assert parse_address(address.url) == address
