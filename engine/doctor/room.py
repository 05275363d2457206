"""Memory and disk: how much there is, and whether it is enough."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from engine.doctor.check import Check, gigabytes
from engine.storage.liveness_locks import NoLocks, flock

MEMORY_GB = 12.0
"""What loading SDXL (6.9 GB of half-precision weights) and working with it takes of the machine's own memory."""

DISK_GB = 15.0
"""What the base model (7 GB), a run's checkpoints and caches take."""


def memory_check(
    base_is_tiny: bool = False,
    meminfo: Path = Path("/proc/meminfo"),
    cgroup: Path = Path("/sys/fs/cgroup"),
    ours: Path = Path("/proc/self/cgroup"),
) -> Check:
    """The machine's memory, or what a container gets of it.

    Args:
        base_is_tiny: whether the demo's base model is used.
        meminfo: Linux's figures of the machine.
        cgroup: where its limits are mounted.
        ours: which of them hold for this process.
    """
    known = _meminfo(meminfo)
    total, free = known.get("MemTotal", 0), known.get("MemAvailable", 0)
    limit = _limit(cgroup, ours)
    if limit is not None and limit[0] < total:
        total, free = limit[0], min(free, limit[0] - limit[1])
    if not total:
        return Check("memory", True, "not known on this system")
    detail = f"{gigabytes(free)} of {gigabytes(total)} free"
    needs = 1.0 if base_is_tiny else MEMORY_GB
    if free / 1e9 < needs:
        return Check("memory", False, f"{detail}; about {needs:g} GB are needed", "ps aux --sort=-rss | head")
    return Check("memory", True, detail)


def disk_checks(folders: dict[str, Path], base_is_tiny: bool = False) -> list[Check]:
    """Free space where things are written. Folders on the same disk are told once.

    Args:
        folders: what lies where; a folder that is not there yet is looked for upwards.
        base_is_tiny: whether the demo's base model is used, so that nothing large is written.
    """
    needs = 1.0 if base_is_tiny else DISK_GB
    by_disk: dict[int, tuple[list[str], Path]] = {}
    for name, folder in folders.items():
        there = next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))
        by_disk.setdefault(there.stat().st_dev, ([], there))[0].append(name)
    checks = []
    for names, there in by_disk.values():
        usage = shutil.disk_usage(there)
        where = " and ".join(names)
        detail = f"{where}: {gigabytes(usage.free)} of {gigabytes(usage.total)} free at {there}"
        if not os.access(there, os.W_OK):
            fix = f'sudo chown -R "$USER" {shlex.quote(str(there))}'
            checks.append(Check("disk", False, f"{where}: {there} can't be written", fix, needed=True))
        elif usage.free / 1e9 < needs:
            fix = f"du -xh --max-depth=2 {shlex.quote(str(there))} | sort -h | tail"
            checks.append(Check("disk", False, f"{detail}; about {needs:g} GB are needed", fix))
        else:
            checks.append(Check("disk", True, detail))
    return checks


def locks_check(root: Path) -> Check:
    """Whether the project's file system has locks. Nothing is written: the folder itself is locked for a moment."""
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB, root)
    except BlockingIOError:
        # Somebody holds it: then there are locks.
        pass
    except NoLocks as error:
        return Check("locks", False, error.what, error.fix, needed=True)
    finally:
        os.close(handle)
    return Check("locks", True, f"files in {root} can be locked")


def _meminfo(path: Path) -> dict[str, int]:
    """Linux's ``/proc/meminfo`` in bytes."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines) if rest}


def _limit(cgroup: Path, ours: Path) -> tuple[int, int] | None:
    """The least limit of a container or a group of processes, and what of it is taken, in bytes.

    Source of the files' names and forms: Linux's ``admin-guide/cgroup-v2.rst`` and ``cgroup-v1/memory.rst``; a line of
    ``/proc/self/cgroup`` is ``0::/path`` or, in version 1, ``7:memory:/path``.
    """
    found = []
    for kind, folder in _groups(cgroup, ours):
        limit, taken = ("memory.max", "memory.current") if kind == 2 else _VERSION_1
        try:
            found.append((int((folder / limit).read_text()), int((folder / taken).read_text())))
        except (OSError, ValueError):
            # No such group here, or no limit in it ("max").
            continue
    return min(found, default=None)


_VERSION_1 = "memory.limit_in_bytes", "memory.usage_in_bytes"


def _groups(cgroup: Path, ours: Path) -> Iterator[tuple[int, Path]]:
    """The version and folder of each group that may hold for this process: in a container its own is the top."""
    yield 2, cgroup
    yield 1, cgroup / "memory"
    try:
        lines = ours.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = (*line.split(":", 2), "", "")[:3]
        place = path.strip("/")
        if not kinds:
            yield 2, cgroup / place
        elif "memory" in kinds.split(","):
            yield 1, cgroup / "memory" / place
