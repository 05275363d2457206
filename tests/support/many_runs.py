"""Ten runs of all tests in a row, unattended, each where something else is odd; prints a table.

    python -m tests.support.many_runs [NUMBER ...]

Makes a fresh clone of what is committed, installs it there once, and runs ``make tests`` in it: five times on an idle
machine, five times beside three programs that only compute. Run it as root, on a machine where nothing else runs: one
run is another user's, and one has no network.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parents[2]

BESIDE = 3
"""Programs that only compute."""

OTHER_USER = "nobody"

CLONE_NEWNET = 0x40000000
"""A network of its own, of ``unshare(2)``."""

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
"""Of ``netdevice(7)``."""


@dataclass(frozen=True)
class Circumstances:
    """What is odd about a run."""

    told: str
    beside: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None
    """Called in the new process before the tests begin."""
    user: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    passed: int
    unsteady: tuple[str, ...]
    failed: int
    seconds: float

    @property
    def well(self) -> bool:
        """Whether nothing failed twice."""
        return self.failed == 0 and self.passed > 0


def _ignore_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _private_umask() -> None:
    os.umask(0o077)


def _without_network() -> None:
    """Leaves the network, loopback alone stays."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network of its own")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        asked = struct.pack("16sh", b"lo", 0)
        (flags,) = struct.unpack("16xh", fcntl.ioctl(line, SIOCGIFFLAGS, asked)[:18])
        fcntl.ioctl(line, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


ELSEWHERE = {"TZ": "Pacific/Chatham", "LANG": "tr_TR.UTF-8", "LC_ALL": "de_DE.ISO-8859-1", "LANGUAGE": "tr"}

RUNS = (
    Circumstances("as it is"),
    Circumstances("SIGINT ignored, as `nohup` and a background job have it", prepare=_ignore_sigint),
    Circumstances("time zone, locale and umask of others", environment=ELSEWHERE, prepare=_private_umask),
    Circumstances("another user, a checkout that is only read, a TMPDIR of its own", user=OTHER_USER),
    Circumstances("no network", prepare=_without_network),
    Circumstances("as it is", BESIDE),
    Circumstances("SIGINT ignored", BESIDE, prepare=_ignore_sigint),
    Circumstances("time zone, locale and umask of others", BESIDE, ELSEWHERE, _private_umask),
    Circumstances("no network", BESIDE, prepare=_without_network),
    Circumstances("as it is", BESIDE),
)


def main(numbers: list[int]) -> int:
    """Runs those of these numbers, from 1, or all; returns 1 where one failed."""
    wanted = numbers or list(range(1, len(RUNS) + 1))
    with tempfile.TemporaryDirectory(prefix="limner-runs-") as folder:
        clone = _installed(Path(folder))
        print(f"{platform.machine()}, {os.cpu_count()} processors, {_commit(clone)}, {time.strftime('%Y-%m-%d')}\n")
        print("| run | what is odd | beside | passed | unsteady | failed | minutes |\n|---|---|---|---|---|---|---|")
        outcomes = [_told(number, RUNS[number - 1], clone) for number in wanted]
    for outcome in outcomes:
        for name in outcome.unsteady:
            print(f"unsteady: {name}")
    return 0 if all(each.well for each in outcomes) else 1


def _told(number: int, odd: Circumstances, clone: Path) -> Outcome:
    outcome = _run(odd, clone, number)
    beside = f"{odd.beside} that compute" if odd.beside else "nothing"
    minutes = f"{int(outcome.seconds // 60)}:{int(outcome.seconds % 60):02d}"
    words = (number, odd.told, beside, f"{outcome.passed:,}", len(outcome.unsteady), outcome.failed, minutes)
    print(f"| {' | '.join(map(str, words))} |", flush=True)
    return outcome


def _installed(folder: Path) -> Path:
    folder.chmod(0o755)
    clone = folder / "limner"
    subprocess.run(["git", "clone", "--quiet", str(HERE), str(clone)], check=True)
    subprocess.run(["make", "-C", str(clone), ".venv/.installed-dev", "needs"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["chmod", "-R", "go+rX", str(clone)], check=True)
    return clone


def _run(odd: Circumstances, clone: Path, number: int) -> Outcome:
    log = clone.parent / f"run-{number}.log"
    computing = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(odd.beside)]
    scratch = Path(tempfile.mkdtemp(prefix="limner-run-"))
    environment = {**os.environ, **odd.environment}
    words: dict[str, object] = {}
    if odd.user is not None:
        who = pwd.getpwnam(odd.user)
        shutil.chown(scratch, who.pw_uid, who.pw_gid)
        environment |= {"HOME": str(scratch), "TMPDIR": str(scratch), "USER": odd.user, "LOGNAME": odd.user}
        words = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
    began = time.monotonic()
    try:
        with log.open("wb") as out:
            subprocess.run(
                ["make", "tests"],
                cwd=clone,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                preexec_fn=odd.prepare,
                check=False,
                **words,  # type: ignore[call-overload]
            )
    finally:
        for each in computing:
            each.kill()
            each.wait()
        shutil.rmtree(scratch, ignore_errors=True)
    text = log.read_text("utf-8", "replace")
    shutil.copyfile(log, Path(tempfile.gettempdir()) / f"limner-run-{number}.log")
    return _outcome(text, time.monotonic() - began)


def _outcome(text: str, seconds: float) -> Outcome:
    """What the last lines of a run say."""
    ends = [line for line in text.splitlines() if re.match(r"=* ?\d+ (passed|failed|error)", line)]
    told = {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|error)", ends[-1] if ends else "")}
    block = re.search(r"^unsteady \(\d+\).*:\n((?:  .+\n)+)", text, re.MULTILINE)
    unsteady = tuple(line.strip() for line in block[1].splitlines()) if block else ()
    return Outcome(told.get("passed", 0), unsteady, told.get("failed", 0) + told.get("error", 0), seconds)


def _commit(clone: Path) -> str:
    words = ["git", "-C", str(clone), "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main([int(each) for each in sys.argv[1:]]))
