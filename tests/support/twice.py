"""Runs the tests; what fails is run once more, alone. ``python -m tests.support.twice [PYTEST'S OPTIONS]``.

A test that passes then is told as unsteady, and is no failure: a busy machine upset it, or another test did. What fails
twice fails.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

MOST_AGAIN = 40
"""When more fail, something is broken, and is not tried again."""

NO_TESTS = 5
"""pytest's exit status when nothing was run."""


def main(options: list[str]) -> int:
    """Runs all, then what failed; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first.xml"
        status = _pytest(first, options)
        failed = _failed(first)
        if status != 1 or not failed or len(failed) > MOST_AGAIN:
            return status
        print(f"\n{len(failed)} failed; once more, alone:", *failed, sep="\n  ", flush=True)
        again = Path(folder) / "again.xml"
        status = _pytest(again, ["--override-ini=addopts=-q -m ''", *failed])
        steady = set(_failed(again))
        unsteady = [each for each in failed if each not in steady]
        if status not in (0, 1):
            return status
        if unsteady:
            print(f"\nunsteady ({len(unsteady)}), failed beside others and passed alone:", *unsteady, sep="\n  ")
        print(f"\n{_passed(first) + len(unsteady)} passed, {len(steady)} failed", flush=True)
        return 1 if steady else 0


def _pytest(report: Path, options: list[str]) -> int:
    words = [sys.executable, "-m", "pytest", f"--junit-xml={report}", "-o", "junit_family=xunit1", *options]
    return subprocess.run(words, check=False).returncode


def _cases(report: Path) -> list[ElementTree.Element]:
    try:
        return list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return []


def _failed(report: Path) -> list[str]:
    """The ids of the tests that failed, each once, in their order."""
    found = []
    for case in _cases(report):
        if case.find("failure") is not None or case.find("error") is not None:
            file, name = case.get("file"), case.get("name")
            classes = (case.get("classname") or "").split(".")
            within = [each for each in classes if each[:1].isupper()]
            found.append("::".join([file or "", *within, name or ""]))
    return list(dict.fromkeys(found))


def _passed(report: Path) -> int:
    return sum(not list(case) or all(each.tag.startswith("system") for each in case) for case in _cases(report))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
