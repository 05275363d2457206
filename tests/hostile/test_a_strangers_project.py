"""A project that somebody else made: opening it asks no server, and one of another user is not opened at all."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.errors import ForeignProject
from engine.library.registry import connect
from engine.project import Project, open_project
from engine.security.trust import NotConfirmed, confirm, confirmed_addresses, is_ours, trust_file
from tests.commands.conftest import Run, run  # noqa: F401
from tests.support.model_server import answering, prompts
from tests.support.small_project import small_project
from tests.tui.test_journeys import press, shown, until
from tui.app.app import LimnerApp

SECRET = "Tr0ub4dor-of-mine"
ASKING = [
    ("people",),
    ("doctor",),
    ("connect",),
    ("connect", "--check"),
    ("faces", "scan", "--person", "James"),
    ("caption", "--with", "server", "--overwrite"),
    ("vary", "a portrait of {trigger}", "--with", "llm"),
]
"""Commands that would ask a server that the project names."""


@dataclass
class Listener:
    port: int
    came: list[bytes] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Listener]:
    """A port where somebody listens, and what was said to it; a MariaDB, too, would speak first."""
    server = socket.create_server(("127.0.0.1", 0))
    found = Listener(server.getsockname()[1])

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            found.came.append(b"")
            with connection:
                connection.settimeout(5)
                try:
                    found.came[-1] = connection.recv(4096)
                except OSError:
                    continue

    threading.Thread(target=serve, daemon=True).start()
    yield found
    server.close()


def of_a_stranger(root: Path, **addresses: str) -> Project:
    """A project whose file names servers, as it comes out of an archive; with two training images."""
    project = small_project(root, images=2)
    text = project.settings_path.read_text("utf-8")
    for dotted, url in addresses.items():
        section, key = dotted.rsplit("__")
        text += f'\n[{section}]\n{key} = "{url}"\n'
    project.settings_path.write_text(text, "utf-8")
    return project


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_DB_PASSWORD", SECRET)
    monkeypatch.setenv("LIMNER_LLM_KEY", SECRET)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "theirs")


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("kind", ["http://u@127.0.0.1:{}", "mysql://u@127.0.0.1:{}/photoprism"])
def test_no_command_asks_a_server_that_only_the_file_names(kind: str, project: Project, run: Run) -> None:  # noqa: F811
    with listening() as library, listening() as model:
        of_a_stranger(
            project.root,
            library__url=kind.format(library.port),
            language_model__url=f"http://127.0.0.1:{model.port}/v1",
            captions__url=f"http://127.0.0.1:{model.port}/v1",
        )
        for words in ASKING:
            done = run(*words)
            assert done.code == 1 or words == ("doctor",), (words, done)
            assert "never confirmed" in done.err + done.out, (words, done)
            assert f"limner -C {project.root} trust" in done.err + done.out, (words, done)
            assert SECRET not in done.err + done.out
        assert (library.came, model.came) == ([], [])
        assert not trust_file().exists()


@pytest.mark.usefixtures("secrets")
async def test_the_app_asks_nobody_until_a_key_confirms_it(project: Project) -> None:
    with listening() as library:
        url = f"http://u@127.0.0.1:{library.port}"
        of_a_stranger(project.root, library__url=url)
        async with LimnerApp(project.root, project).run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: "never confirmed" in shown(pilot))
            assert "confirms it, if it is yours" in shown(pilot)
            await press(pilot, "f5")
            await until(pilot, lambda: "Ask this server?" in shown(pilot))
            assert url in shown(pilot)
            await press(pilot, "n")
            assert library.came == []
            await press(pilot, "f5")
            await until(pilot, lambda: "Ask this server?" in shown(pilot))
            await press(pilot, "y")
            await until(pilot, lambda: bool(library.came))
        assert confirmed_addresses(project.root) == (url,)


@pytest.mark.usefixtures("secrets")
async def test_an_address_typed_in_the_app_is_asked_at_once(project: Project) -> None:
    with listening() as theirs, listening() as mine:
        of_a_stranger(project.root, library__url=f"http://u@127.0.0.1:{theirs.port}")
        async with LimnerApp(project.root, project).run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: "never confirmed" in shown(pilot))
            pilot.app.screen.query_one("#address").value = f"http://127.0.0.1:{mine.port}"  # type: ignore[attr-defined]
            await press(pilot, "f5")
            await until(pilot, lambda: bool(mine.came))
        assert theirs.came == []


def test_a_confirmed_language_model_is_asked_with_the_key(project: Project, run: Run) -> None:  # noqa: F811
    with answering(prompts("jx265 man, oil painting")) as server:
        of_a_stranger(project.root, language_model__url=server.url)
        words = ("vary", "a portrait of {trigger}", "--with", "llm", "--count", "1", "--model", "tiny")
        assert run(*words, LIMNER_LLM_KEY=SECRET).code == 1
        assert server.questions == []
        assert run("trust", server.url).code == 0
        assert run(*words, LIMNER_LLM_KEY=SECRET).code == 0
        assert server.headers[0]["Authorization"] == f"Bearer {SECRET}"
        asked = len(server.questions)
        assert run("trust", "--forget", server.url).code == 0
        assert run(*words, LIMNER_LLM_KEY=SECRET).code == 1
        assert len(server.questions) == asked


def test_what_is_typed_is_confirmed_for_this_project_alone(tmp_path: Path, run: Run, project: Project) -> None:  # noqa: F811
    of_a_stranger(project.root)
    url = "mysql://me@127.0.0.1:1/photoprism"
    project.change({"library.url": url, "language_model.url": "http://127.0.0.1:9/v1"})
    assert run("people").failure.startswith("limner: nothing listens at 127.0.0.1:1"), "it is asked"
    listed = run("trust", "--json").record["addresses"]
    assert [(each["setting"], each["confirmed"]) for each in listed] == [
        ("library.url", True),
        ("language_model.url", True),
    ]
    other = of_a_stranger(tmp_path / "other", library__url=url)
    with pytest.raises(NotConfirmed):
        connect(other.settings.library, None, other.root)
    text = project.settings_path.read_text("utf-8")
    for changed in ("mysql://you@127.0.0.1:1/photoprism", "mysql://me@127.0.0.1:2/photoprism", f"{url}?ssl=off"):
        project.settings_path.write_text(text.replace(url, changed), "utf-8")
        assert "never confirmed" in run("people").failure, changed


def test_a_confirmation_that_is_damaged_or_not_ours_confirms_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_a_stranger(project.root)
    confirm(project.root, "http://127.0.0.1:9/v1")
    assert confirmed_addresses(project.root) == ("http://127.0.0.1:9/v1",)
    whole = trust_file().read_text("utf-8")
    for text in ("", "[]", "{}", whole[:-9], "[" * 100_000, '{"addresses": [], "folders": {}}'):
        trust_file().write_text(text, "utf-8")
        assert confirmed_addresses(project.root) == (), text[:40]
    trust_file().write_text(whole, "utf-8")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert confirmed_addresses(project.root) == ()


@pytest.mark.parametrize("inside", [False, True])
def test_a_project_of_another_user_is_not_opened(
    inside: bool,
    project: Project,
    run: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_a_stranger(project.root)
    below = project.root / "pictures/2026"
    below.mkdir(parents=True)
    real = os.lstat

    def elsewhere(path: Path) -> os.stat_result:
        """Only the folder, or only the settings in it, belong to somebody else."""
        found = real(path)
        foreign = project.settings_path if inside else project.root
        return os.stat_result([*found[:4], found.st_uid + 7, *found[5:]]) if path == foreign else found

    monkeypatch.setattr(os, "lstat", elsewhere)
    for start in (project.root, below):
        with pytest.raises(ForeignProject):
            open_project(start)
    for words in (("people",), ("runs",), ("faces", "list"), ("prompt", "show", "a"), ("locate",), ("vary", "a")):
        assert "belongs to another user" in run(*words).failure, words
    assert run("trust", "--folder").code == 0
    assert open_project(below).root == project.root


def test_under_sudo_the_projects_of_who_ran_it_are_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    me = os.getuid()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: os.stat_result([*real(path)[:4], 4711, *real(path)[5:]]))
    for told, ours in (("4711", True), ("", False), ("4712", False), ("4711x", False), ("9" * 40, False)):
        monkeypatch.setenv("SUDO_UID", told)
        assert is_ours(tmp_path) is ours, (told, me)
