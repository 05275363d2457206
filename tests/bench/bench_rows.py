"""Two million markers in one index: how long a look at all of them takes, and what memory it needs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.result import Result
from tests.hostile.many_markers import many_markers

MARKERS = 2_000_000

LOOK = """
import json, resource, sys, time
from pathlib import Path
from engine.errors import RootsDoNotFit
from engine.library.photoprism_sql.library import connect
from engine.library.paths import Roots, check_roots
from engine.settings import LibrarySettings

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

with connect(LibrarySettings(url=sys.argv[1])) as library:
    next(iter(library.files()))
    before, began = most(), time.perf_counter()
    if sys.argv[2] == "stream":
        try:
            check_roots(library.files(), Roots(Path("/")))
        except RootsDoNotFit:
            pass
        person = library.people()[-1]
        for _ in library.faces(person):
            pass
    else:
        list(library.files())
    print(json.dumps([time.perf_counter() - began, most() - before]))
"""
"""Each in a process of its own, for the most memory that a process had is never taken back."""


def results() -> Iterator[Result]:
    """What ``limner connect`` does and a scan begins with; against holding all file names."""
    with tempfile.TemporaryDirectory() as name:
        url = many_markers(Path(name) / "index.db", MARKERS)
        seconds, megabytes = _look(url, "stream")
        _, held = _look(url, "list")
    against = "all names in a list"
    yield Result("look through 2,000,000 markers", seconds, "s", "60 s", 60 / seconds)
    yield Result("look through 2,000,000 markers, memory", megabytes, "MB", against, held / max(megabytes, 0.1))


def _look(url: str, how: str) -> tuple[float, float]:
    done = subprocess.run([sys.executable, "-c", LOOK, url, how], check=True, capture_output=True, text=True)
    seconds, megabytes = json.loads(done.stdout)
    return float(seconds), float(megabytes)
