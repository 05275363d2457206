"""Runs on the rented machine, alone: ends it when its time is over, or when nothing has moved for long.

Called with one JSON object: see ``engine.rent.lease``. Needs Python 3.8 and nothing else.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

USED = Path(".limner-used")


def variable(name: str) -> str:
    """An environment variable of this process or of the machine's first."""
    if name in os.environ:
        return os.environ[name]
    pairs = [each.partition(b"=") for each in Path("/proc/1/environ").read_bytes().split(b"\0")]
    return next((value.decode() for key, _, value in pairs if key == name.encode()), "")


def ask(order: dict[str, Any], method: str) -> int:
    """The HTTP status of a call about this machine; 0: no answer."""
    try:
        request = Request(order["address"].replace("{id}", variable(order["id"])), method=method)
        request.add_header("Authorization", "Bearer " + variable(order["key"]))
        # What answers for RunPod refuses urllib's own name.
        request.add_header("User-Agent", "limner")
        with urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except OSError:
        return 0


def marks(order: dict[str, Any]) -> list[Any]:
    """What changes while somebody is at work here."""
    found = []
    for path in sorted([*Path().glob(order["alive"]), *Path().glob(order["logs"])]):
        with suppress(OSError):
            found.append((path, path.stat().st_mtime_ns, path.stat().st_size))
    return found


def watch(order: dict[str, Any]) -> None:
    """Until the time is over, or it was quiet for too long; a restart of the machine does not begin the time anew."""
    used = 0.0
    with suppress(OSError, ValueError):
        used = float(USED.read_text())
    quiet, seen, before = 0.0, None, time.clock_gettime(time.CLOCK_BOOTTIME)
    while used < order["seconds"] and quiet < order["silent"]:
        time.sleep(order["look"])
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        used, quiet, before = used + now - before, quiet + now - before, now
        if marks(order) != seen:
            seen, quiet = marks(order), 0.0
        with suppress(OSError):
            USED.write_text(str(used))


def main(order: dict[str, Any]) -> None:
    """One of it at a time, in the home folder."""
    os.chdir(Path.home())
    if order.get("test"):
        print(ask(order, "GET"))
        return
    with Path(".limner-watchdog.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        watch(order)
        while order["address"]:
            ask(order, "DELETE")
            time.sleep(order["look"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
