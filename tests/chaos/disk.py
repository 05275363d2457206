"""A disk that is full: every command says so plainly, leaves nothing half-written, and goes on when there is room.

The disk is a small tmpfs where this machine lets us mount one, else a limit on the size of a file (``RLIMIT_FSIZE``),
which a write meets in the same places.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from safetensors import safe_open

from engine.faces.records.decisions import Ledger
from engine.project import Project
from tests.chaos.tally import Tally, loss_if_it_fails
from tests.support.patience import PATIENCE
from tests.support.small_project import portrait, small_project
from tests.support.story import PERSON_UID, _face

REPOSITORY = Path(__file__).resolve().parents[2]
BYTES = 64 << 20
ROOM_FOR = (0, 8 << 10, 40 << 10, 200 << 10)
"""What is left of the disk when a command begins; it fills up at another place of its work each time."""

FACES = 6


@dataclass
class SmallDisk:
    """A folder whose room can be taken and given back."""

    folder: Path
    mounted: bool
    limit: int | None = None

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self, but: int) -> None:
        """Takes all room but so many bytes."""
        if not self.mounted:
            self.limit = but
            return
        with self._ballast.open("ab") as ballast:
            # Others may write at the same moment, and then there is less to take.
            while (taken := self._left() - but) > 0:
                with contextlib.suppress(OSError):
                    os.posix_fallocate(ballast.fileno(), os.fstat(ballast.fileno()).st_size, taken)

    def _left(self) -> int:
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def make_room(self) -> None:
        """Gives it back."""
        self._ballast.unlink(missing_ok=True)
        self.limit = None

    def limits(self) -> None:
        """What a process on this disk gets before it begins."""
        if self.limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.limit, self.limit))


@contextmanager
def small_disk(folder: Path, size: int = BYTES) -> Iterator[SmallDisk]:
    """A disk of so many bytes."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    with contextlib.suppress(FileNotFoundError):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            try:
                yield SmallDisk(folder, True)
            finally:
                subprocess.run(["umount", "--lazy", str(folder)], check=True)
            return
    yield SmallDisk(folder, False)


def run(folder: Path, chance: Random, until: float) -> Tally:
    """Each command on a full disk, then with room; again with other room until that moment."""
    tally = Tally()
    number = 0
    while not number or time.monotonic() < until:
        with small_disk(folder / f"disk-{number}") as disk, loss_if_it_fails(tally, "the full disk"):
            one_disk(disk, folder, chance, tally)
        number += 1
    return tally


def one_disk(disk: SmallDisk, folder: Path, chance: Random, tally: Tally) -> None:
    project = faces_of(small_project(disk.folder / "james", images=2, training__epochs=1, training__repeats=2))
    outside = folder / "elsewhere"
    outside.mkdir(exist_ok=True)
    portrait(0).save(outside / "photo.png")
    commands: list[tuple[str, ...]] = [
        ("faces", "keep", "1", "2", "3"),
        ("connect", f"folder://{outside}"),
        ("captions", "add", "outdoors"),
        ("prompt", "add", "portrait of {trigger}, oil painting"),
        ("export", str(disk.folder / "export"), "--format", "kohya", "--force"),
        ("train", "--wait"),
        ("paint", "portrait of jx265 man", "--seed", "7"),
    ]
    for words in commands:
        settings = project.settings_path.read_bytes()
        disk.fill(but=chance.choice(ROOM_FOR))
        full = limner(disk, project, words)
        tally.faults[f"no room for: limner {words[0]}"] += 1
        told = full.returncode == 1 and full.stderr.count("limner: ") == 1 and "Traceback" not in full.stderr
        why = any(word in full.stderr for word in ("room", "No space", "File too large"))
        tally.expect(
            full.returncode == 0 or (told and why),
            "full disks told in one line",
            f"limner {' '.join(words)} on a full disk: {full.returncode}, {full.stderr[-600:]!r}",
        )
        disk.make_room()
        # A folder is connected first and looked through then: with no room for the second, the first one stands.
        connected = words[0] == "connect" and "Saved: " in full.stderr
        whole(project, None if connected else settings, words, tally)
        if connected:
            tally.expect(
                project.settings.library.url == words[1], "settings as they were told", f"{words} is told but not saved"
            )
        again = ("resume",) if words[0] == "train" and project.run_folders() and full.returncode else words
        free = limner(disk, project, again)
        if again == ("resume",) and not free.returncode:
            free = limner(disk, project, ("watch",))
        tally.expect(
            free.returncode == 0,
            "commands that went on with room",
            f"limner {' '.join(again)} with room again: {free.returncode}, {free.stderr[-600:]!r}",
        )


def whole(project: Project, settings: bytes | None, words: Sequence[str], tally: Tally) -> None:
    """Nothing half-written lies there."""
    parts = [each for each in project.root.parent.rglob("*.part") if not each.name.endswith(".room")]
    tally.expect(not parts, "nothing half-written left", f"{words[0]} left {[each.name for each in parts]}")
    if settings is not None:
        tally.expect(project.settings_path.read_bytes() == settings, "settings as they were", f"{words[0]} hurt them")
    with project.store() as store:
        sound = store.rows("PRAGMA integrity_check")[0][0] == "ok"
    tally.expect(sound, "the database is sound", f"{words[0]} damaged it")
    for path in project.runs.rglob("[!.]*.safetensors"):
        with loss_if_it_fails(tally, f"{path.name} is half-written"), safe_open(path, "np") as found:
            found.keys()
            tally.held["checkpoints and states that load"] += 1


def faces_of(project: Project) -> Project:
    with project.store() as store:
        Ledger(store).record(PERSON_UID, [_face(project, number) for number in range(1, FACES + 1)])
    return project


def limner(disk: SmallDisk, project: Project, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tui.cli", "-C", str(project.root), *words]
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE, check=False, preexec_fn=disk.limits
    )
