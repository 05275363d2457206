"""A library that is elsewhere, from the command line: connected, scanned, measured and built without its disk."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from engine.doctor import examine
from engine.project import Project
from tests.commands.conftest import Photos, Run
from tests.support.photoprism_server import APP_PASSWORD, Fault, Prism, serving


@pytest.fixture
def prism(photos: Photos) -> Iterator[Prism]:
    with serving(photos.index, photos.originals, photos.sidecar) as found:
        yield found


def test_the_whole_way_to_a_dataset_without_a_disk_or_a_database(
    run: Run, prism: Prism, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMNER_DB_PASSWORD", APP_PASSWORD)
    done = run("connect", prism.url)
    assert done.code == 0, done.err
    first, photos_line, people = done.out.splitlines()
    assert first == "over HTTP · PhotoPrism 241213 · read-only · 6 photos · 6 faces"
    assert photos_line.startswith("photos: fetched when they are needed, 0 so far")
    assert people == "2 people"
    assert prism.count("/dl/") == 0
    assert "James Café      5  –" in run("people").out
    scanned = run("faces", "scan", "--person", "james café", "--json")
    assert (scanned.record["faces"], scanned.record["usable"]) == (5, 4), scanned.err
    assert run("faces", "measure").code == 0
    faces = run("faces", "list", "--json").record["faces"]
    assert [face["problem"] for face in faces].count("the file is missing on the server") == 1
    run("faces", "keep", *[face["id"] for face in faces if not face["problem"]])
    built = run("dataset", "build", "--json")
    assert built.code == 0, built.err
    assert len(list(project.dataset.glob("*/*.png"))) == 4
    checks = {each.name: each for each in examine(project.root)}
    assert checks["library"].ok
    assert "safe to delete" in checks["photos"].detail
    for path in project.root.rglob("*"):
        assert not path.is_file() or APP_PASSWORD.encode() not in path.read_bytes()


def test_what_fails_is_told_in_one_line_and_not_saved(run: Run, prism: Prism, project: Project) -> None:
    before = project.settings_path.read_text()
    assert "requires a password" in run("connect", prism.url).failure
    assert "refused the app password" in run("connect", prism.url, LIMNER_DB_PASSWORD="x").failure
    prism.before("config", Fault(200, body=b"<html>"))
    assert "neither Immich nor PhotoPrism answers" in run("connect", prism.url, LIMNER_DB_PASSWORD=APP_PASSWORD).failure
    secret = prism.url.replace("://", "://admin:geheim@")
    assert "holds a password" in run("connect", secret).failure
    assert project.settings_path.read_text() == before


def test_a_connection_in_the_clear_to_elsewhere_is_told(
    run: Run, prism: Prism, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.library.address.is_loopback", lambda _host: False)
    done = run("connect", prism.url, "--check", "--json", LIMNER_DB_PASSWORD=APP_PASSWORD)
    assert "is not encrypted" in json.loads(done.out)["notes"][0]
    assert "Mind: the connection to" in run("connect", prism.url, "--check", LIMNER_DB_PASSWORD=APP_PASSWORD).err


def test_photos_over_sshfs_or_rsync_are_a_folder_like_any_other(run: Run, photos: Photos, project: Project) -> None:
    """What sshfs mounts and rsync copies is read through the folder that is named, a link to it included."""
    photos.index.to_sqlite(photos.folder / "index.db")
    (photos.folder / "mounted").symlink_to(photos.originals)
    done = run(
        "connect", photos.folder / "index.db", "--originals", photos.folder / "mounted", "--sidecar", photos.sidecar
    )
    assert done.code == 0, done.err
    assert run("faces", "scan", "--person", "james café", "--json").record["usable"] == 4
