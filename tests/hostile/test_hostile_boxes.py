"""A machine elsewhere that lies: its list of runs, its log, its files; and a damaged list of machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import LimnerError
from engine.jobs.folder import JobFolder
from engine.remote.boxes import Box, RemoteError, boxes, boxes_file, read_address
from engine.remote.check import check_box
from engine.remote.limner_there import LimnerThere
from engine.remote.mirror import Mirror
from engine.remote.ssh import Answer, Ssh

DEEP = "[" * 100_000

JSON = (
    "",
    "null",
    "[]",
    "{}",
    DEEP,
    '{"runs": 3}',
    '{"runs": [null]}',
    '{"runs": [{"id": 1}]}',
    "\x1b[2J{",
    "9" * 5000,
)


def saying(monkeypatch: pytest.MonkeyPatch, out: str | bytes, code: int = 0) -> LimnerThere:
    """Limner on a machine that says this to whatever it is asked."""
    data = out.encode() if isinstance(out, str) else out
    monkeypatch.setattr(Ssh, "shell", lambda *_words, **_more: Answer(code, data, ""))
    return LimnerThere(Box("box", "127.0.0.1"), "limner/james", "token")


@pytest.mark.parametrize("said", JSON)
def test_a_list_of_runs_that_is_none_is_refused_in_a_line(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = saying(monkeypatch, said)
    with pytest.raises(RemoteError) as caught:
        there.newest()
    assert "\n" not in caught.value.one_line()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("../../etc", "/etc/../../etc"),
        ("a", "/home/x/runs/b"),
        ("a b; rm -rf ~", "/x/a b; rm -rf ~"),
        ("-rf", "/x/-rf"),
        ("", "/x/"),
        ("a\x1b[2J", "/x/a\x1b[2J"),
    ],
)
def test_a_run_s_name_that_climbs_or_commands_is_refused(name: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"runs": [{"id": name, "path": path, "state": "running", "reason": None}]}
    with pytest.raises(RemoteError, match="tells of a run what can't be"):
        saying(monkeypatch, json.dumps(record)).newest()


@pytest.mark.parametrize(
    "said", ["", "x\ny", "5\n" + "g" * 64, "99999999999999999999\n" + "a" * 64, "-1\n" + "a" * 64, DEEP]
)
def test_a_file_of_no_size_or_digest_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RemoteError, match="tells of a file what can't be"):
        saying(monkeypatch, said).file("/x/a.safetensors")


@pytest.mark.parametrize("said", [*JSON, '{"checks": [{"name": "\\u001b[2J"}]}', '{"checks": {"a": 1}}'])
def test_a_doctor_that_talks_nonsense_fails_one_check(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, said)
    found = check_box(Box("box", "127.0.0.1"))
    assert found
    assert all(isinstance(each.detail, str) for each in found)


def told(tmp_path: Path, *lines: str | bytes) -> list[Any]:
    data = b"".join((each.encode() if isinstance(each, str) else each) + b"\n" for each in lines)
    return Mirror(JobFolder(tmp_path)).feed(data)


def line(kind: str, **fields: object) -> str:
    return json.dumps({"v": 1, "t": 1.0, "kind": kind, **fields})


@pytest.mark.parametrize(
    "path",
    [
        "../../.ssh/authorized_keys",
        "/etc/passwd",
        "checkpoints/../../a.safetensors",
        "checkpoints/a.safetensors/../../b.png",
        "checkpoints/a.sh",
        "checkpoints/.a.safetensors",
        "checkpoints/a\n.safetensors",
        "samples/a.safetensors",
        "C:\\a.safetensors",
        "checkpoints/" + "a" * 300 + ".safetensors",
    ],
)
def test_a_file_goes_nowhere_but_where_runs_keep_theirs(path: str, tmp_path: Path) -> None:
    # Those that climb are no events at all; the others tell of a file that none of a run's can be.
    for found in told(tmp_path, line("checkpoint", path=path, epoch=1, step=1)):
        assert found.file is None
        assert found.is_strange


def test_what_is_no_line_of_a_log_is_passed_over(tmp_path: Path) -> None:
    good = line("warning", message="fine", at=10**9)
    odd = ("", "{", DEEP, "null", '{"kind": "step"}', b"\xff\xfe", line("nobody"), line("step", step="x"))
    found = told(tmp_path, *odd, good)
    assert [each.record["message"] for each in found] == ["fine"]
    assert "at" not in found[0].record, "where it ended there is ours to say"
    assert json.loads(found[0].line())["at"] == found[0].at


def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    mirror = Mirror(JobFolder(tmp_path))
    for _ in range(30):
        assert mirror.feed(b"x" * 1_000_000) == []
    assert len(mirror._rest) < 9_000_000


def test_a_log_here_with_wild_places_takes_nothing_twice(tmp_path: Path) -> None:
    lines = [line("warning", message="a", at="x"), line("warning", message="b", at=None), '{"at":', DEEP + '"at":']
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + "\n")
    first = line("warning", message="new")
    assert len(told(tmp_path, first)) == 1
    (tmp_path / "events.jsonl").write_text(line("warning", message="new", at=len(first) + 1) + "\n")
    (tmp_path / "events.jsonl").write_text((tmp_path / "events.jsonl").read_text().replace('"at": ', '"at":'))
    assert told(tmp_path, first) == []


@pytest.mark.parametrize(
    "content", ["", "{", "[]", DEEP, '{"boxes": 1}', '{"boxes": [{"name": "-oProxyCommand=x"}]}', "\xff"]
)
def test_a_damaged_list_of_machines_is_kept_aside_and_told(content: str, own_home: Path) -> None:
    path = boxes_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "latin-1")
    with pytest.raises(RemoteError, match=r"kept as boxes\.json\.damaged"):
        boxes()
    assert path.with_name("boxes.json.damaged").read_text("latin-1") == content
    assert boxes() == {}


@pytest.mark.parametrize(
    "address",
    [
        "",
        "box",
        "http://box",
        "ssh://",
        "ssh://-oProxyCommand=touch",
        "ssh://a@-oX",
        "ssh://box:0",
        "ssh://box:99999",
        "ssh://box/path",
        "ssh://box?x",
        "ssh://a b@box",
        "ssh://me:secret@box",
        "ssh://bo\nx",
        "ssh://[::1",
    ],
)
def test_an_address_that_ssh_could_take_for_an_option_is_refused(address: str) -> None:
    with pytest.raises(LimnerError) as caught:
        read_address("box", address)
    assert "secret" not in caught.value.one_line()


@pytest.mark.parametrize("change", [{"directory": "-rf"}, {"directory": "../.."}, {"program": "a\nb"}, {"name": "a/b"}])
def test_a_machine_with_a_field_that_commands_is_refused(change: dict[str, str]) -> None:
    make: Callable[..., Box] = Box
    with pytest.raises(RemoteError):
        make(**{"name": "box", "host": "here", **change})


def test_a_stranger_s_run_names_no_machine_by_address(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text('{"kind": "train-remote", "project": "/x", "args": {"on": ["box"]}}')
    assert JobFolder(tmp_path).sent_to() is None
