"""Reads what a stranger made, in a process that may only take so much more memory than it has.

``python -m tests.hostile.greedy MEGABYTES CASE PLACE``, once for each three words: a line says how each ended.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from pathlib import Path

from engine.bundle.unbundle import unbundle
from engine.errors import LimnerError
from engine.jobs.folder import JobFolder
from engine.library.registry import connect
from engine.llm.server import ModelServer
from engine.lora.header import read_header
from engine.pictures.gallery.found_prompts import import_prompts
from engine.pictures.gallery.import_external import what_it_tells
from engine.prompts.shared_prompts import shared_prompts
from engine.settings import LibrarySettings, read_settings
from engine.storage.untrusted_files import read_json
from engine.training.runs.run_status import run_status


def people(url: str) -> object:
    with connect(LibrarySettings(url=url), "insecure", typed=True) as library:
        return library.people()


CASES: dict[str, Callable[[str], object]] = {
    "unbundle": lambda place: unbundle(Path(place), Path(place).with_suffix("")),
    "into a project": lambda place: unbundle(Path(place), Path(place).parent / "james").runs[0].how,
    "json": lambda place: read_json(Path(place)),
    "settings": lambda place: read_settings(Path(place)),
    "prompts": lambda place: shared_prompts(Path(place)),
    "styles": lambda place: import_prompts(Path(place)),
    "log": lambda place: run_status(JobFolder(Path(place))).step,
    "lora": lambda place: read_header(Path(place)),
    "picture": lambda place: what_it_tells(Path(place)),
    "people": people,
    "models": lambda place: ModelServer(place).models(),
    "answer": lambda place: ModelServer(place).answer({"model": "a", "messages": []}),
}


def main(words: list[str]) -> None:
    for megabytes, case, place in zip(words[::3], words[1::3], words[2::3], strict=True):
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + int(megabytes) * 1_000_000, hard))
        try:
            ended = f"gave {CASES[case](place)!r}"
        except LimnerError as error:
            ended = error.one_line()
        except ValueError as error:
            ended = f"ValueError: {error}"
        except MemoryError:
            ended = "MemoryError"
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        print(ended[:300].replace("\n", " "), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
