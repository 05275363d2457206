"""Commands run as a user runs them: what they print, where, and how they end."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.project import Project
from tests.support.astronaut import FACE, astronaut, save
from tests.support.mariadb import MariaServer, running_server
from tests.support.photoprism import Index
from tui.cli.main import main


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        """The one JSON document on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def failure(self) -> str:
        """The one line of a command that failed."""
        assert self.code == 1, (self.code, self.err)
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("limner: ")
        return self.err.strip()


Run = Callable[..., Ran]


@pytest.fixture
def run(project: Project, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on the project, in this process; keywords go into the environment."""

    def run_(*words: object, **environment: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr("sys.stdin", io.StringIO())
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main(["-C", str(project.root), *map(str, words)])
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out.getvalue(), err.getvalue())

    return run_


@pytest.fixture(scope="session")
def server() -> Iterator[MariaServer]:
    with running_server() as found:
        yield found


@dataclass(frozen=True)
class Photos:
    """A library on disk: two people, an index."""

    folder: Path
    index: Index

    @property
    def originals(self) -> Path:
        return self.folder / "originals"

    @property
    def sidecar(self) -> Path:
        return self.folder / "sidecar"


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    """James in five photos (one turned, one in the sidecar folder, one missing), Jana in one."""
    found = Photos(tmp_path / "photos", Index())
    index, portrait = found.index, astronaut(width=400)
    james, jana = index.person("James Café"), index.person("Jana")
    for year, orientation in ((2015, 1), (2019, 6), (2023, 8)):
        save(found.originals / f"{year}/IMG_1.jpg", portrait, orientation)
        index.face(index.photo(f"{year}/IMG_1.jpg", (400, 512), f"{year}-06-02 15:58:24"), james, FACE)
    save(found.sidecar / "2019/IMG_2.heic.jpg", portrait)
    side = index.photo("2019/IMG_2.heic.jpg", (400, 512), "2019-07-01 08:00:00", file_root="sidecar")
    index.face(side, james, FACE, src="")
    index.face(index.photo("2020/gone.jpg", (400, 512), "2020-01-01 08:00:00"), james, FACE)
    index.face(index.photo("2015/IMG_1.png", (512, 512), "2018-01-01 08:00:00"), jana)
    astronaut().save(found.originals / "2015/IMG_1.png")
    return found


@pytest.fixture
def connected(photos: Photos, project: Project) -> Photos:
    """The project, its library set, on SQLite."""
    url = photos.index.to_sqlite(photos.folder / "index.db")
    folders = {"library.originals": photos.originals, "library.sidecar": photos.sidecar}
    project.change({"library.url": url, **folders})
    return photos


@pytest.fixture
def scanned(connected: Photos, run: Run) -> Photos:
    """The project with James's faces."""
    done = run("faces", "scan", "--person", "james café")
    assert done.code == 0, done.err
    return connected
