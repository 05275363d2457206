"""``python -m tests.chaos [--seconds N] [--seed S] [PART …]``: faults on purpose, and a count of what they broke.

Prints kills, faults, what was looked at and what was lost. Exit status 1 where anything was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.chaos.tally import Tally, left

REPOSITORY = Path(__file__).resolve().parents[2]

LEAVE_SECONDS = 240.0
"""How long a part may take to bring its work to an end after its time."""


def app(folder: Path, seed: int, until: float) -> Tally:
    """The app in tmux."""
    from tests.chaos.app import run

    return run(folder, Random(seed), until)


def jobs(folder: Path, seed: int, until: float) -> Tally:
    """The painter, the scanner and the measurer."""
    return _apart("jobs", folder, seed, until)


def trainer(folder: Path, seed: int, until: float) -> Tally:
    """The trainer."""
    return _apart("trainer", folder, seed, until)


def database(folder: Path, seed: int, until: float) -> Tally:
    """MariaDB, in mid-scan."""
    from tests.chaos.database import run

    return run(folder, Random(seed), until)


def disk(folder: Path, seed: int, until: float) -> Tally:
    """Commands on a full disk."""
    from tests.chaos.disk import run

    return run(folder, Random(seed), until)


def rented(folder: Path, seed: int, until: float) -> Tally:
    """Rented machines, and all who hold them."""
    return _apart("rented", folder, seed, until)


PARTS: dict[str, tuple[Callable[[Path, int, float], Tally], float]] = {
    "app": (app, 0.35),
    "jobs": (jobs, 0.25),
    "trainer": (trainer, 0.25),
    "disk": (disk, 0.1),
    "database": (database, 0.05),
    "rented": (rented, 0.3),
}
"""What does it, and its share of the time."""


def chaos(seconds: float, seed: int, parts: list[str], folder: Path) -> Tally:
    """One part after the other, each in its own folder."""
    shares = sum(PARTS[part][1] for part in parts)
    tally = Tally()
    for part in parts:
        work, share = PARTS[part]
        place = folder / part
        place.mkdir()
        print(f"{part} …", file=sys.stderr, flush=True)
        tally.add(work(place, seed, time.monotonic() + seconds * share / shares))
    return tally


def own_home(folder: Path) -> None:
    """Nothing of the user's is read or written."""
    os.environ["HOME"] = str(folder)
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = str(folder / name.lower())
    os.environ |= {"HF_HUB_OFFLINE": "1", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    for name in ("LIMNER_DB_PASSWORD", "SSH_CONNECTION", "NO_COLOR", "TMUX"):
        os.environ.pop(name, None)


def report(tally: Tally, seed: int, seconds: float) -> str:
    """The figures, as they stand in the docs."""
    lines: list[str] = []
    for title, counts in (("kills", tally.kills), ("faults", tally.faults), ("looked at and whole", tally.held)):
        lines.append(f"{title}: {sum(counts.values())}")
        lines += [f"  {count:6}  {name}" for name, count in sorted(counts.items(), key=lambda each: -each[1])]
    lines.append(f"losses: {len(tally.losses) or 'none'}")
    lines += [f"  {each}" for each in tally.losses]
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return "\n".join([*lines, f"seed {seed}, {seconds:.0f} s, {machine}, {time.strftime('%Y-%m-%d')}"])


def main(arguments: list[str]) -> int:
    """Runs what is asked for. Returns the exit status."""
    parser = argparse.ArgumentParser("python -m tests.chaos")
    parser.add_argument("--seconds", type=float, default=600.0, help="about how long; the end of the work comes on top")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; left out: all")
    wanted = parser.parse_args(arguments)
    if unknown := set(wanted.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="limner-chaos-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        home.mkdir()
        own_home(home)
        tally = chaos(wanted.seconds, wanted.seed, wanted.parts or list(PARTS), Path(folder))
    print(report(tally, wanted.seed, time.monotonic() - began))
    return 1 if tally.losses else 0


def _apart(module: str, folder: Path, seed: int, until: float) -> Tally:
    """A part in a process of its own: it imports torch, and forks."""
    words = [sys.executable, "-m", f"tests.chaos.{module}", str(folder), f"{left(until):.1f}", str(seed)]
    done = subprocess.run(
        words, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=left(until) + LEAVE_SECONDS
    )
    if done.returncode:
        return Tally(losses=[f"{module} ended with {done.returncode}: {done.stderr[-1500:]}"])
    return Tally.of(json.loads(done.stdout))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
