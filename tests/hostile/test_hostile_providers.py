"""What answers for a provider of rented machines lies, or talks without end; and the record of them is damaged."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine.remote.boxes import Box, RemoteError
from engine.remote.install import install
from engine.remote.ssh import Answer, Ssh
from engine.rent.ledger import Rental, ledger_file, notices, rentals, write_down
from engine.rent.provider import KeyMissing, Offer, Order, Provider, RentError, Unsure, Wanted
from engine.rent.providers import api as api_module
from engine.rent.providers.api import Api
from engine.rent.providers.runpod import RunPod
from engine.rent.providers.skypilot import SkyPilot
from engine.rent.providers.vast import Vast
from tests.hostile.endless_server import endless

KEY = "key-of-the-account"

DEEP = "[" * 100_000

ANSWERS = (
    "",
    "null",
    "[]",
    "{}",
    "<html>",
    DEEP,
    "9" * 5000,
    '{"gpus": 3, "pods": "x", "offers": {}, "instances": 7}',
    '{"gpus": [1], "pods": [null], "offers": ["x"], "instances": [[]]}',
    '{"gpus": [{"id": 1, "price": {"secure": "dear"}, "memory": true, "availability": "HIGH"}]}',
    '{"offers": [{"id": "../..", "gpu_name": "x", "gpu_ram": 1, "dph_total": 1}]}',
    '{"offers": [{"id": 1, "gpu_name": "x", "gpu_ram": -1, "dph_total": 1e400}]}',
    '{"pods": [{"id": "a b", "name": "limner-1", "status": "RUNNING"}]}',
    '{"pods": [{"id": "a", "name": 3, "status": []}]}',
    '{"pods": [{"id": "a", "name": "x", "status": "RUNNING", "ssh": {"direct": {"host": "-oProxy=x", "port": 1}}}]}',
    '{"instances": [{"id": 1, "label": "x", "actual_status": "running", "ssh_host": "a;b", "ssh_port": 22}]}',
    '{"instances": [{"id": 1, "label": "x", "actual_status": "running", "ssh_host": "a", "ssh_port": 99999}]}',
)


@contextmanager
def saying(text: str, status: int = 200) -> Iterator[str]:
    """A server that answers this to everything; its address."""
    data = text.encode()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Location", "http://elsewhere.example.com/")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("make", [RunPod, Vast])
@pytest.mark.parametrize("text", ANSWERS, ids=range(len(ANSWERS)))
def test_any_answer_is_taken_or_refused_in_a_line(make: Callable[[str, str], Provider], text: str) -> None:
    offer = Offer("x", "SECURE:1" if make is RunPod else "1", "RTX 4090", 25.8, 0.3, "here")
    with saying(text) as address:
        provider = make(KEY, address)
        calls: tuple[Callable[[], object], ...] = (
            lambda: provider.offers(Wanted()),
            provider.instances,
            lambda: provider.look("1"),
            lambda: provider.end("1"),
            lambda: provider.create(offer, Order("limner-1", "ssh-ed25519 A", "t", "", 50)),
        )
        for call in calls:
            told = refusal(call)
            assert "\n" not in told
            assert len(told) < 500
            assert KEY not in told


def refusal(call: Callable[[], object]) -> str:
    """What is told of it; empty where it is believed."""
    try:
        call()
    except RentError as error:
        return error.one_line()
    return ""


def test_no_redirect_gets_the_key() -> None:
    with saying("", status=302) as address, pytest.raises(RentError, match="redirects, which its API never does"):
        Api("It", address, KEY).read("/x")


def test_a_refusals_own_words_are_short_and_plain() -> None:
    long = json.dumps({"title": "no\x1b[2J", "detail": "x" * 100_000})
    with saying(long, status=403) as address, pytest.raises(RentError) as caught:
        Api("It", address, KEY).read("/x")
    assert "\x1b" not in caught.value.one_line()
    assert len(caught.value.one_line()) < 400


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(api_module, "WAITS", (0.01, 0.01, 0.01))
    with endless(b"x", first=b"HTTP/1.1 200 OK\r\n\r\n") as server, pytest.raises(RentError):
        Api("It", f"http://127.0.0.1:{server.port}", KEY).read("/x")
    with endless(b"X-A: b\r\n", first=b"HTTP/1.1 200 OK\r\n") as server, pytest.raises(Unsure):
        Api("It", f"http://127.0.0.1:{server.port}", KEY).create("POST", "/x", {}, "id")
    with (
        endless(b"x" * 100_000, first=b"HTTP/1.1 200 OK\r\n\r\n", slowly=False) as server,
        pytest.raises(RentError, match="says more than 8 MB"),
    ):
        Api("It", f"http://127.0.0.1:{server.port}", KEY).read("/x")


@pytest.mark.parametrize(
    "record",
    [
        "",
        "[]",
        '{"rentals": 3}',
        '{"rentals": [3]}',
        '{"rentals": [{"label": "limner-1"}]}',
        '{"rentals": [{"label": "a", "provider": "x", "card": "x", "price": 1, "asked": 1, "ends": 1, "run": "/x"}]}',
        DEEP,
    ],
)
def test_a_damaged_record_is_kept_aside_and_told_first(record: str, own_home: object) -> None:
    ledger_file().parent.mkdir(parents=True)
    ledger_file().write_text(record)
    (told,) = notices()
    assert "was damaged and is kept as rentals.json.damaged: see what is still rented: limner rented" in told
    assert ledger_file().with_name("rentals.json.damaged").read_text() == record
    assert rentals() == []


def test_labels_and_runs_with_controls_do_no_harm(own_home: object) -> None:
    write_down(Rental("limner-\x1b[2J", "vast", "x\ny", 0.1, 1.0, 2.0, "/no\x00where"))
    assert rentals()[0].label == "limner-\x1b[2J"


@pytest.mark.parametrize(
    "said", ["", "x", "3.12", "3.12 - False", "3.12 2.0;rm True /x", "99999.1 - False /x", "\x1b[2J" * 9]
)
def test_a_python_that_talks_nonsense_is_none(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ssh, "shell", lambda *_words, **_more: Answer(0, said.encode(), ""))
    with pytest.raises(RemoteError):
        install(Box("box", "127.0.0.1"), lambda words: None)


SKY = (*ANSWERS, '[{"name": "a;b"}]', '[{"name": "x", "status": 3}]', '{"A": [{"price": -1}]}')


@pytest.mark.parametrize("text", SKY, ids=range(len(SKY)))
def test_a_skypilot_that_talks_nonsense_is_refused(text: str, tmp_path: Path) -> None:
    program = tmp_path / "sky"
    (tmp_path / "said").write_text(text)
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/said\n")
    program.chmod(0o755)
    provider = SkyPilot(str(program))
    for call in (lambda: provider.offers(Wanted()), provider.instances, lambda: provider.look("1")):
        told = refusal(call)
        assert "\n" not in told
        assert len(told) < 500


def test_a_skypilot_that_fails_says_its_last_line(tmp_path: Path) -> None:
    program = tmp_path / "sky"
    program.write_text("#!/bin/sh\necho first >&2\nprintf 'no cloud\\033[2J is enabled' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(RentError, match=r"sky gpus: no cloud\[2J is enabled: look there: sky check, sky status"):
        SkyPilot(str(program)).offers(Wanted("4090"))
    offer = Offer("sky", "lambda/us:RTX4090", "RTX4090", 25.8, 0.5, "lambda")
    with pytest.raises(Unsure):
        SkyPilot(str(program)).create(offer, Order("limner-1", "", "token", "true", 50))
    with pytest.raises(KeyMissing, match="SkyPilot is not installed"):
        SkyPilot("no-such-program")
