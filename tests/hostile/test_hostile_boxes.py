"""A machine elsewhere that lies: its list of runs, its log, its files; and a damaged list of machines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.errors import LimnerError, PictureError
from engine.jobs.folder import JobFolder
from engine.pictures.orders.painter_machine import painter_machine
from engine.pictures.orders.picture import PictureOrder, PictureState
from engine.pictures.orders.queue import Queue
from engine.pictures.orders.start import painter_folder
from engine.project import Project
from engine.remote.boxes import Box, RemoteError, boxes, boxes_file, keep_box, read_address
from engine.remote.check import check_box
from engine.remote.limner_there import FileThere, LimnerThere
from engine.remote.mirror import Mirror
from engine.remote.painter import RemotePainter
from engine.remote.ssh import Answer, Ssh
from engine.settings.samplers import Sampler
from tui.cli.commands.paint import _of_a_file

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


@pytest.mark.parametrize(
    ("record", "data"),
    [
        ({}, b""),
        ({"state": "done"}, b""),
        ({"state": "done", "path": 7}, b""),
        ({"state": "done", "path": "/full/out/1/../../../etc/passwd.png"}, b"\x89PNG"),
        ({"state": "done", "path": "/etc/passwd.png"}, b"\x89PNG"),
        ({"state": "done", "path": "/full/out/1/a.png; rm -rf ~.png"}, b"\x89PNG"),
        ({"state": "done", "path": "/full/out/1/picture.png", "seconds": "long"}, b"not a picture"),
        ({"state": "done", "path": "/full/out/1/picture.png"}, b"\x89PNG\r\n\x1a\n" + b"\0" * 50),
        ({"state": "failed", "reason": "\x1b[2J" + "x" * 10_000}, b""),
    ],
    ids=range(9),
)
def test_a_machine_that_lies_of_a_picture_leaves_none(
    record: dict[str, Any], data: bytes, project: Project, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_box(Box("box", "127.0.0.1"))
    asked: list[str] = []

    def file(_there: LimnerThere, path: str) -> FileThere | None:
        asked.append(path)
        return None if path.endswith("?") else FileThere(path, len(data), "0" * 64)

    monkeypatch.setattr(LimnerThere, "file", file)
    monkeypatch.setattr(Ssh, "fetch", lambda _ssh, _there, path, *_more: path.write_bytes(data))
    context = SimpleNamespace(args={"on": {"box": "box"}}, emit=lambda _event: None)
    with project.store() as store:
        queue = Queue(store)
        order = PictureOrder("a", project.pictures / "a.png", 1, 2, 1.0, Sampler.EULER_A)
        queue.add([order])
        painter = RemotePainter(context, project, queue)  # type: ignore[arg-type]
        (picture,) = queue.take_together(painter._claim)
        painter._take_home(picture, record, "/full/out/1")
        found = queue.picture(picture.id)
    assert found.state is PictureState.FAILED
    assert len(found.reason or "") <= 500
    assert not any(project.pictures.rglob("*")) or not list(project.pictures.rglob("*.p*"))
    assert all(re.fullmatch(r"/full/out/1/(\?|[\w.-]+\.png)", path) for path in asked)


@pytest.mark.parametrize("text", ["", "[", "{}", "3", "[3]", '[{"prompt": 1}]', DEEP])
def test_orders_that_are_none_are_refused_in_a_line(text: str, project: Project, tmp_path: Path) -> None:
    (tmp_path / "orders.json").write_text(text)
    if text == "":
        (tmp_path / "orders.json").unlink()
    with pytest.raises(PictureError, match="holds no orders") as caught:
        _of_a_file(project, tmp_path / "orders.json")
    assert "\n" not in caught.value.one_line()


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"x" * 10_000, b"\n\n"])
def test_a_choice_of_machine_that_is_damaged_is_none(data: bytes, project: Project) -> None:
    painter_folder(project).path.mkdir(parents=True)
    (painter_folder(project).path / "machine").write_bytes(data)
    assert painter_machine(project) is None
