"""An index whose pages are damaged, as by a copy that was taken while PhotoPrism wrote: read in part, or refused."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from engine.errors import LibraryError
from engine.library.base import Library
from engine.library.registry import connect
from engine.settings import LibrarySettings
from tests.support.photoprism import Index
from tests.support.rows import usual

PAGE = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An index of several pages a table, whole."""
    index = Index()
    james = index.person("James")
    for number in range(300):
        index.face(index.photo(f"2019/IMG_{number:04d}.jpg"), james)
    path = tmp_path_factory.mktemp("index") / "index.db"
    index.to_sqlite(path)
    return path.read_bytes()


def overwritten(whole: bytes, chance: random.Random) -> bytes:
    """Some pages hold what belongs elsewhere."""
    data = bytearray(whole)
    pages = len(data) // PAGE
    for _ in range(chance.randint(1, 4)):
        to, of = chance.randrange(1, pages), chance.randrange(1, pages)
        data[to * PAGE : (to + 1) * PAGE] = data[of * PAGE : (of + 1) * PAGE]
    return bytes(data)


def scattered(whole: bytes, chance: random.Random) -> bytes:
    """Bytes here and there are others."""
    data = bytearray(whole)
    for _ in range(chance.choice((1, 8, 200))):
        data[chance.randrange(100, len(data))] = chance.randrange(256)
    return bytes(data)


def pointed(whole: bytes, chance: random.Random) -> bytes:
    """Pages' headers and cell pointers lead elsewhere, also in a circle (https://www.sqlite.org/fileformat2.html)."""
    data = bytearray(whole)
    for _ in range(chance.randint(1, 3)):
        page = chance.randrange(1, len(data) // PAGE)
        for _ in range(chance.randint(1, 6)):
            data[page * PAGE + chance.randrange(40)] = chance.randrange(256)
    return bytes(data)


def cut_off(whole: bytes, chance: random.Random) -> bytes:
    """The file ends too soon."""
    return whole[: chance.randrange(100, len(whole))]


def read_all(library: Library) -> None:
    """Everything that is asked of a library."""
    library.describe()
    for person in library.people():
        markers = [face.marker_uid for face in library.faces(person)]
        list(library.markers_beside(person))
        list(library.embeddings(markers))
    list(library.files())


@pytest.mark.parametrize("damaged", [overwritten, scattered, pointed, cut_off], ids=lambda each: each.__name__)
@pytest.mark.parametrize("seed", usual(range(60), 3))
def test_a_damaged_index_is_read_in_part_or_refused_in_one_line(
    whole: bytes, tmp_path: Path, damaged: object, seed: int
) -> None:
    assert callable(damaged)
    path = tmp_path / "index.db"
    content = damaged(whole, random.Random(seed))
    path.write_bytes(content)
    refused = None
    try:
        with connect(LibrarySettings(url=f"sqlite://{path}"), typed=True) as library:
            read_all(library)
    except LibraryError as error:
        refused = error
    if refused is not None:
        assert "\n" not in refused.one_line()
        assert refused.fix
    assert path.read_bytes() == content, "nothing mends it"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["index.db"]
