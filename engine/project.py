"""A project folder: where everything about one person's portraits lies."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import ForeignProject, LimnerError, NoProject, ProjectError
from engine.jobs.folder import JobFolder
from engine.security.trust import confirm, folder_confirmed, is_ours
from engine.storage.atomic_files import write_text
from engine.storage.os_errors import explained
from engine.storage.own_files import check_folders
from engine.storage.project_paths import SETTINGS_NAME

if TYPE_CHECKING:
    from engine.settings import Settings
    from engine.storage.database import Store


NEW_SETTINGS = """\
# Limner's settings for this project. Edit freely: your comments stay.

[person]
trigger = "{trigger}"       # the made-up word that will stand for this person
class_word = "{class_word}"
"""


@dataclass(frozen=True)
class NamedAddress:
    """A server that a project's settings name."""

    setting: str
    """The dotted key, ``library.url``."""
    url: str
    """In its canonical spelling."""


@dataclass(frozen=True)
class Project:
    """One project. Making this object touches nothing on disk; ``open_project`` checks that it is there."""

    root: Path

    @property
    def settings_path(self) -> Path:
        """``limner.toml``."""
        return self.root / SETTINGS_NAME

    @property
    def settings(self) -> Settings:
        """The settings, read anew each time, their relative paths seen from the project. Raises ProjectError."""
        # Imported here, as the database is: a command that only looks at runs answers twice as soon.
        from engine.settings import read_settings
        from engine.settings.own_paths import with_own_paths

        return with_own_paths(read_settings(self.settings_path), self.root)

    def change(self, changes: dict[str, Any]) -> Settings:
        """Changes settings by dotted key, keeping comments. Raises ProjectError.

        Only what the user typed comes this way, so that an address among it is confirmed.
        """
        from engine.settings import change_settings

        settings = change_settings(self.settings_path, changes)
        for address in self.addresses:
            if address.setting in changes:
                confirm(self.root, address.url)
        return settings

    @property
    def addresses(self) -> tuple[NamedAddress, ...]:
        """The servers that the settings name; those that are malformed are left out. Raises ProjectError."""
        from engine.library.address import parse_address
        from engine.llm.server import canonical_address

        settings, found = self.settings, []
        if settings.library.url:
            with suppress(LimnerError):
                address = parse_address(settings.library.url, self.root)
                if address.is_server:
                    found.append(NamedAddress("library.url", address.url))
        servers = {"language_model.url": settings.language_model.url, "captions.url": settings.captions.url}
        for setting, url in servers.items():
            if url:
                with suppress(LimnerError):
                    found.append(NamedAddress(setting, canonical_address(url)))
        return tuple(found)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The project's database, open for the length of a ``with``."""
        from engine.storage.database import Store

        store = Store(self.root / "limner.db")
        try:
            yield store
        finally:
            store.close()

    @property
    def dataset(self) -> Path:
        """The training images and captions."""
        return self.root / "dataset"

    @property
    def cache(self) -> Path:
        """What can be made again: safe to delete."""
        return self.root / "cache"

    @property
    def runs(self) -> Path:
        """Training runs, one folder each."""
        return self.root / "runs"

    @property
    def pictures(self) -> Path:
        """Painted pictures."""
        return self.root / "pictures"

    @property
    def jobs(self) -> Path:
        """Other long work (scans, the painter), one folder a job."""
        return self.root / "jobs"

    def new_job_folder(self, word: str) -> Path:
        """Makes a folder for a new job, named by the time and ``word``."""
        return _fresh(self.jobs, word)

    def new_run_folder(self) -> Path:
        """Makes a folder for a new training run, named by the time and the trigger word."""
        return _fresh(self.runs, re.sub(r"[^\w-]+", "_", self.settings.person.trigger))

    def run_folders(self) -> list[JobFolder]:
        """All training runs, oldest first."""
        if not self.runs.is_dir():
            return []
        return [JobFolder(each) for each in sorted(self.runs.iterdir(), key=_age) if (each / "job.json").exists()]

    def run(self, name: str | None = None) -> JobFolder:
        """A run by its name (or the beginning or end of it), or the newest one.

        Raises:
            ProjectError: there is none, or more than one fits.
        """
        found = self.run_folders()
        if not found:
            raise ProjectError("this project has no runs", "start one with: limner train")
        if name is None:
            return found[-1]
        exact = [each for each in found if each.id == name]
        fitting = exact or [each for each in found if each.id.startswith(name) or each.id.endswith(name)]
        if len(fitting) == 1:
            return fitting[0]
        what = f"there is no run called {name}" if not fitting else f"{len(fitting)} runs fit {name}"
        raise ProjectError(what, "list them with: limner runs")


def create_project(root: Path, trigger: str = "jx265", class_word: str = "person") -> Project:
    """Makes a project folder with its settings.

    Raises:
        ProjectError: there is one already, the folder can't be made, or the words are invalid.
    """
    from engine.settings import Settings, read_settings, with_changes

    with_changes(Settings(), {"person.trigger": trigger, "person.class_word": class_word})
    project = Project(root.resolve())
    if project.settings_path.exists():
        raise ProjectError(f"{project.root} is a project already", f"open it with: limner -C {root}")
    try:
        project.root.mkdir(parents=True, exist_ok=True)
        check_folders(project.root)
        text = NEW_SETTINGS.format(trigger=_quoted(trigger), class_word=_quoted(class_word))
        write_text(project.settings_path, text)
    except OSError as error:
        raise ProjectError(f"{root} can't be created ({error.strerror})", "choose another folder") from error
    try:
        read_settings(project.settings_path)
    except ProjectError:
        project.settings_path.unlink()
        raise
    with project.store():
        pass
    return project


def open_project(start: Path) -> Project:
    """The project in ``start`` or in the nearest folder above it, as git finds its repository.

    Raises:
        NoProject: there is none.
        ForeignProject: it belongs to another user.
        NotOurs: a folder of it, or its database, is a link or another user's.
    """
    root = project_folder(start)
    _check_owner(root)
    with explained(root):
        check_folders(root)
    return Project(root)


def project_folder(start: Path) -> Path:
    """The folder of the project in ``start`` or above it, whoever owns it; nothing in it is read.

    Raises:
        NoProject: there is none.
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / SETTINGS_NAME).is_file():
            return folder
    raise NoProject(f"there is no project in {start}", "make one with: limner new DIR, or try: limner demo DIR")


def _check_owner(root: Path) -> None:
    """Raises ForeignProject where the folder or its settings are another user's."""
    if (is_ours(root) and is_ours(root / SETTINGS_NAME)) or folder_confirmed(root):
        return
    raise ForeignProject(
        f"the project in {root} belongs to another user of this machine; nothing of it was read",
        f"if you trust everything in it: limner -C {shlex.quote(str(root))} trust --folder",
    )


def _fresh(parent: Path, word: str) -> Path:
    """Makes a folder that is nobody else's, and the newest by its name: ``20261121-1403-jx265``, then ``…-2``.

    Where the clock was set back (each autumn it is) the time of the newest folder is taken.
    """
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        ages = [_age(each) for each in parent.iterdir() if _STAMPED.match(each.name)]
        stamp = max([time.strftime("%Y%m%d-%H%M"), *(age[0] for age in ages)])
        number = 1 + max((age[1] for age in ages if age[0] == stamp), default=0)
        folder = parent / (f"{stamp}-{word}" if number == 1 else f"{stamp}-{word}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder


_STAMPED = re.compile(r"(\d{8}-\d{4})-.*?(?:-(\d+))?$")


def _age(folder: Path) -> tuple[str, int, str]:
    """What folders are sorted by, oldest first: the minute, the number within it, the name."""
    match = _STAMPED.match(folder.name)
    return (match[1], int(match[2] or 1), folder.name) if match else (folder.name, 0, folder.name)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
