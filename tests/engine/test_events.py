"""The event log's lines."""

from __future__ import annotations

import json
import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine import events
from engine.jobs.folder import EventLog, EventTail

texts = st.text(max_size=40)
numbers = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 10**6)
paths = st.lists(st.text("abcÜ ._-~", min_size=1, max_size=9).map("f{}".format), min_size=1).map("/".join)
"""Of files in a run's folder: others are refused."""
any_event = st.one_of(
    st.builds(events.Job, st.sampled_from(events.JobState), st.none() | counts, st.none() | texts),
    st.builds(events.Step, counts, counts, numbers, numbers, numbers, numbers),
    st.builds(events.Checkpoint, paths, counts, counts),
    st.builds(events.Error, texts, texts),
    st.builds(events.Sample, paths, texts, counts),
)


@given(any_event, st.floats(0, 2e9))
def test_an_event_comes_back_from_its_line_as_it_went_in(event: events.Event, t: float) -> None:
    line = events.to_line(event, t)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    entry = events.from_line(line)
    assert entry is not None
    assert entry.event == event
    assert math.isclose(entry.t, t, abs_tol=0.001)


def test_every_line_carries_version_time_and_kind() -> None:
    record = json.loads(events.to_line(events.Phase("faces", 3, 9), 12.5))
    assert record == {"v": 1, "t": 12.5, "kind": "phase", "name": "faces", "done": 3, "total": 9, "subject": None}


@given(st.text(max_size=80))
def test_no_line_whatever_it_holds_stops_a_reader(line: str) -> None:
    entry = events.from_line(line)
    assert entry is None or isinstance(entry, events.Entry)


def test_fields_and_kinds_of_a_later_version_are_passed_over() -> None:
    later = '{"v":1,"t":1,"kind":"phase","name":"x","done":1,"total":2,"colour":"red"}'
    entry = events.from_line(later)
    assert entry is not None
    assert entry.event == events.Phase("x", 1, 2)
    assert events.from_line('{"v":2,"t":1,"kind":"eclipse"}') is None


def test_a_loss_that_is_no_number_is_written_as_null_and_stays_json() -> None:
    record = json.loads(events.to_line(events.Step(1, 1, float("nan"), 0.1, 1.0, float("inf"))))
    assert record["loss"] is None
    assert record["memory_gb"] is None


def test_a_follower_sees_a_torn_line_only_once_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    whole = events.to_line(events.Phase("faces", 1, 2), 1.0)
    log.write_bytes(whole.encode() + b'{"v":1,"t":2,"kind":"ph')
    tail = EventTail(log)
    assert [entry.event for entry in tail.read()] == [events.Phase("faces", 1, 2)]
    assert list(tail.read()) == []
    with log.open("ab") as handle:
        handle.write(b'ase","name":"faces","done":2,"total":2}\n')
    assert [entry.event for entry in tail.read()] == [events.Phase("faces", 2, 2)]


def test_a_writer_after_a_killed_writer_starts_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"v":1,"t":2,"kind":"ph')
    log = EventLog(path)
    log.emit(events.Phase("faces", 2, 2))
    log.close()
    assert [entry.event for entry in EventTail(path).read()] == [events.Phase("faces", 2, 2)]
