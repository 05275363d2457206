"""Libraries on a real MariaDB server and on SQLite, and what an Immich serves."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.library.photoprism_sql.library import PhotoPrismLibrary
from engine.library.registry import connect
from engine.settings import LibrarySettings
from tests.support.immich_data import Immich, small_library
from tests.support.mariadb import MariaServer, running_server
from tests.support.photoprism import Index, OpenLibrary

_databases = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[MariaServer]:
    with running_server() as found:
        yield found


@pytest.fixture(scope="session")
def small_immich(tmp_path_factory: pytest.TempPathFactory) -> Immich:
    return small_library(tmp_path_factory.mktemp("immich"))


@pytest.fixture
def immich(small_immich: Immich) -> Immich:
    """The small library, to change at will; its files stay as they are."""
    return copy.deepcopy(small_immich)


@pytest.fixture(params=["mariadb", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenLibrary]:
    """Opens an index as a library: once on MariaDB, once on SQLite."""
    libraries: list[PhotoPrismLibrary] = []

    def open_(index: Index, **settings: object) -> PhotoPrismLibrary:
        if request.param == "sqlite":
            url = index.to_sqlite(tmp_path / f"index{next(_databases)}.db")
        else:
            url = index.to_mariadb(request.getfixturevalue("server"), f"photoprism{next(_databases)}")
        libraries.append(connect(LibrarySettings(url=url, **settings), "insecure"))
        return libraries[-1]

    yield open_
    for library in libraries:
        library.close()
