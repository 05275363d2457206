"""Immich by commands, from its address to a built dataset; and what a user is told who is not let in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.library.immich.permissions import Permission
from engine.project import Project
from tests.commands.conftest import Run
from tests.support.immich_data import Immich, small_library
from tests.support.immich_server import API_KEY, READING, Server, running


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Immich:
    return small_library(tmp_path_factory.mktemp("immich"))


@pytest.fixture(params=["2.7.5", "3.3.5"])
def server(request: pytest.FixtureRequest, library: Immich) -> Iterator[Server]:
    with running(library, version=request.param) as found:
        yield found


def test_immich_leads_to_a_dataset_by_commands(run: Run, project: Project, server: Server) -> None:
    key = {"LIMNER_IMMICH_KEY": API_KEY}
    connected = run("connect", f"{server.url}/people?name=x", **key)
    assert connected.code == 0, connected.err
    assert connected.out.splitlines() == [
        f"over HTTP · Immich {server.version} · read-only · 14 faces",
        "the key may read people, their counts, faces, photos' data, downloads",
        f"photos: fetched when they are needed, 0 so far ({project.cache}/originals)",
        "4 people",
    ]
    assert "Mind: 1 person has no name yet and can't be scanned: name them in Immich" in connected.err
    assert project.settings.library.url == f"immich+{server.url}", "whose it is was found out"
    assert API_KEY not in (project.root / "limner.toml").read_text()
    assert "2 people are called Anna: give one's id instead" in run("faces", "scan", "--person", "Anna", **key).failure
    scanned = run("faces", "scan", "--person", "Eileen", "--json", **key).record
    assert (scanned["person"], scanned["faces"], scanned["usable"]) == ("Eileen", 8, 6)
    faces = {Path(face["path"] or face["file_name"]).suffix for face in run("faces", "list", "--json").record["faces"]}
    assert faces <= {".jpg", ".dng"}
    assert run("faces", "pick", "--count", "4").code == 0
    assert run("dataset", "build").code == 0
    built = run("dataset", "list", "--json").record["images"]
    assert len(built) >= 3
    assert server.writes == []
    assert {each.headers.get("x-api-key") for each in server.asked} == {API_KEY, None}
    assert not any(API_KEY in each.path for each in server.asked)


def test_a_key_that_may_too_little_is_told_what_it_lacks(run: Run, project: Project, server: Server) -> None:
    server.permissions = READING - {Permission.FACES.value, Permission.DOWNLOADS.value}
    refused = run("connect", server.url, LIMNER_IMMICH_KEY=API_KEY).failure
    assert "the API key lacks face.read, asset.download" in refused
    assert all(each in refused for each in Permission)
    assert project.settings.library.url is None


def test_whoever_has_no_key_or_a_wrong_one_is_told_how_to_get_one(run: Run, server: Server) -> None:
    assert (
        "requires an API key: set LIMNER_IMMICH_KEY to one that may: person.read" in run("connect", server.url).failure
    )
    assert "refused the API key" in run("connect", server.url, LIMNER_IMMICH_KEY="another").failure


def test_an_immich_address_says_so_itself(run: Run, project: Project, server: Server) -> None:
    done = run("connect", f"immich+{server.url}", LIMNER_IMMICH_KEY=API_KEY)
    assert done.code == 0, done.err
    assert server.count("/api/server/ping") == 0, "nobody had to find out"
    wrong = run("connect", f"photoprism+{server.url}", LIMNER_DB_PASSWORD="x").failure
    assert f"{server.url} is not PhotoPrism" in wrong
    told = run("connect", f"immich://{server.url.partition('//')[2]}", LIMNER_IMMICH_KEY=API_KEY).failure
    assert "write immich+https://host" in told
    assert project.settings.library.url == f"immich+{server.url}"
