"""Files of a project that lie: an odd line in a run's log, a damaged order, settings of endless depth."""

from __future__ import annotations

import json
import shutil
import time
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events
from engine.events import KINDS, from_line, from_lines, to_line
from engine.project import Project
from engine.storage.untrusted_files import parse_json, parse_toml, read_json
from engine.training.runs.run_status import run_status
from tests.commands.conftest import Run, run  # noqa: F401
from tests.support.rows import usual
from tests.support.story import story_project, with_run

ODD = [
    "x",
    "",
    None,
    True,
    [],
    [[1]],
    {},
    {"a": 1},
    -1,
    10**18,
    10**400,
    1e308,
    "NaN",
    "../../etc/passwd",
    "/etc/passwd",
    "\x1b]0;x\x07",
    ["../x"],
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """With a good run, and one beside it that tests spoil."""
    project = story_project(tmp_path / "james")
    good = with_run(project, done=True)
    shutil.copytree(good.path, good.path.with_name("20261122-0000-bad"))
    return project


def spoiled(project: Project) -> Path:
    return project.runs / "20261122-0000-bad"


EXAMPLES = {
    "job": {"state": "running", "pid": 1},
    "plan": {"images": 2, "repeats": 1, "batch": 1, "steps_per_epoch": 2, "epochs": 2, "steps": 4},
    "phase": {"name": "x", "done": 1, "total": 2},
    "step": {"step": 1, "epoch": 1, "loss": 0.1, "lr": 1e-4, "images_per_s": 1.0, "memory_gb": 1.0},
    "epoch": {"epoch": 1, "loss": 0.1, "validation_loss": None, "seconds": 1.0},
    "estimate": {"epoch_seconds": 1.0, "remaining_seconds": 1.0},
    "checkpoint": {"path": "checkpoints/a.safetensors", "epoch": 1, "step": 1},
    "sample": {"path": "samples/a.png", "prompt": "x", "seed": 1},
    "fit": {"changed": "x", "why": "y"},
    "warning": {"message": "x"},
    "error": {"message": "x"},
}


def odd_lines() -> list[str]:
    """Each field of each kind with each odd value, and lines that are no objects at all."""
    lines = ["[" * 100_000, "7", "null", '"x"', "[]", '{"kind": []}', '{"kind": {}}', '{"kind": "step"', "{" * 5000]
    for kind, example in EXAMPLES.items():
        for name in ["t", "v", "kind", *(each.name for each in fields(KINDS[kind]))]:
            for value in ODD:
                lines.append(json.dumps({"v": 1, "t": 1_795_000_999.0, "kind": kind, **example, name: value}))
    return lines


def test_every_kind_of_event_has_its_hostile_cases() -> None:
    assert set(EXAMPLES) == set(KINDS)
    for kind, example in EXAMPLES.items():
        assert from_line(json.dumps({"v": 1, "t": 1.0, "kind": kind, **example})), kind


@pytest.mark.parametrize("command", [("runs",), ("runs", "--json"), ("estimate",), ("pictures", "list")])
def test_one_runs_odd_lines_take_no_other_run_down(
    command: tuple[str, ...],
    project: Project,
    run: Run,  # noqa: F811
) -> None:
    with (spoiled(project) / "events.jsonl").open("a") as log:
        log.write("".join(f"{line}\n" for line in odd_lines()))
    done = run(*command)
    assert "Traceback" not in done.err, done.err[-2000:]
    assert done.code == 0 or command == ("estimate",), done.err
    if command[0] == "runs":
        assert "20261121-1403-jx265" in done.out
        assert "bad" in done.out
        assert "passwd" not in done.out
    assert run_status(project.run("20261122-0000-bad")).checkpoints


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(VALUES, st.sampled_from(sorted(KINDS)))
def test_whatever_a_line_holds_it_is_an_entry_or_nothing(value: Any, kind: str) -> None:
    for name in (*EXAMPLES[kind], "t", "kind"):
        line = json.dumps({"v": 1, "t": 1.0, "kind": kind, **EXAMPLES[kind], name: value})
        found = from_line(line)
        if found is not None:
            assert to_line(found.event, found.t)
        assert from_lines([line]) == ([found] if found else [])


SPOILED: dict[str, Callable[[Project], Path]] = {
    "job.json": lambda project: spoiled(project) / "job.json",
    "likeness.json": lambda project: spoiled(project) / "likeness.json",
    "manifest.json": lambda project: project.dataset / "manifest.json",
    "limner.toml": lambda project: project.settings_path,
}
TEXTS = ["", "[]", "7", "[" * 100_000, '{"a":' * 50_000, "9" * 5_000, '"' + "x" * 40_000_000 + '"', "\ufeff{}", "{'a'}"]


@pytest.mark.parametrize("name", SPOILED)
@pytest.mark.parametrize("text", usual(TEXTS, TEXTS[1:6:2], lambda text: text[:6]))
def test_a_damaged_file_ends_in_one_line_or_is_passed_over(
    name: str,
    text: str,
    project: Project,
    run: Run,  # noqa: F811
) -> None:
    path = SPOILED[name](project)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    for words in (("runs",), ("dataset", "list"), ("faces", "list"), ("lora", "show", "nothing")):
        done = run(*words)
        assert "Traceback" not in done.err, (words, done.err[-1500:])
        assert done.err.count("\n") <= 3
    if name in ("job.json", "likeness.json"):
        assert "20261121-1403-jx265" in run("runs").out


DEEP = ["[" * 50_000, "a = " + "[" * 50_000, "a." * 80_000 + "b = 1", "[" + "a." * 80_000 + "b]", "a=" + "{b=" * 20_000]


@pytest.mark.parametrize("text", DEEP, ids=lambda text: text[:6])
def test_toml_of_endless_depth_is_refused_at_once(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(tomllib.TOMLDecodeError):
        parse_toml(text)
    assert time.process_time() - begun < 5


def test_json_from_outside_has_bounds(tmp_path: Path) -> None:
    for text in ("[" * 100_000, "9" * 401, "1e999", "1" * 300 + ".0"):
        if text == "1" * 300 + ".0":
            assert parse_json(text)
            continue
        with pytest.raises(ValueError, match=r"deeply|digits|out of range"):
            parse_json(text)
    (tmp_path / "a.json").write_text("[" + "1," * 100 + "1]")
    with pytest.raises(ValueError, match="more than"):
        read_json(tmp_path / "a.json", most=50)


def test_a_checkpoint_elsewhere_is_no_checkpoint() -> None:
    for path in ("../../etc/passwd", "/etc/passwd", "a/../../b", "~/x"):
        assert from_line(to_line(events.Checkpoint(path, 1, 1), 1.0)) is None
