"""What a server, a driver or a library quotes of a secret leaves Limner by no way."""

from __future__ import annotations

import ast
import json
import time
from pathlib import Path

import pytest
from rich.segment import Segment
from textual.color import Color

from engine import events
from engine.errors import LimnerError
from engine.jobs.folder import EventLog
from engine.project import Project
from engine.secrets import HIDDEN, register_secret, without_secrets
from tests.commands.conftest import Run, run  # noqa: F401
from tests.support.model_server import Said, answering
from tui.terminal.clipboard import copy
from tui.terminal.output_filter import OutputFilter

KEY = 'sk-Pr0j/ü"<7>& key'
HEADER_KEY = "sk-Pr0j-abc/def+7"


@pytest.mark.parametrize("spelled", ["{}", "Bearer {}", '{{"error": {{"message": "no key {}"}}}}'])
@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_a_models_server_that_quotes_the_key_is_not_repeated(
    spelled: str,
    status: int,
    run: Run,  # noqa: F811
    project: Project,
) -> None:
    with answering(Said(status=status, body=spelled.format(HEADER_KEY))) as server:
        project.change({"language_model.url": server.url, "language_model.model": "tiny"})
        done = run("vary", "a portrait", "--with", "llm", "--count", "1", LIMNER_LLM_KEY=HEADER_KEY)
        assert done.code == (0 if status == 500 else 1), "a server that fails leaves it to the word lists"
        assert HEADER_KEY not in done.out + done.err
        assert HIDDEN in done.err


def test_a_models_prompt_that_holds_the_key_is_not_printed(run: Run, project: Project) -> None:  # noqa: F811
    said = Said(json.dumps({"prompts": [{"prompt": f"a portrait, oil painting, {HEADER_KEY} studio light"}]}))
    with answering(said) as server:
        words = ("vary", "a portrait", "--with", "llm", "--count", "1", "--url", server.url, "--model", "tiny")
        for more in ((), ("--json",)):
            done = run(*words, *more, LIMNER_LLM_KEY=HEADER_KEY)
            assert HEADER_KEY not in done.out + done.err


def test_an_error_an_event_and_the_clipboard_hold_no_secret(tmp_path: Path) -> None:
    register_secret(KEY)
    error = LimnerError(f"the server said {KEY}", f"not {json.dumps(KEY)}")
    for text in (error.what, error.fix, str(error), repr(error), error.one_line()):
        assert "Pr0j" not in text
    log = EventLog(tmp_path / "events.jsonl")
    log.emit(events.Warning(f"it said {KEY}"))
    log.emit_last(events.Error(f"it said {KEY!r}", KEY))
    log.close()
    assert "Pr0j" not in (tmp_path / "events.jsonl").read_text("utf-8")
    sent: list[str] = []
    copy(f"paint {KEY}", {}, sent.append)
    assert KEY not in sent[0]
    import base64

    assert HIDDEN.encode() in base64.b64decode(sent[0].split(";")[2].rstrip("\x07"))


def test_the_screen_shows_dots_where_a_secret_would_stand() -> None:
    register_secret("geheim-密码-1")
    line = [Segment("a gehe"), Segment("im-密码-1 b"), Segment(" c")]
    shown = OutputFilter().apply(line, Color.parse("black"))
    assert "".join(each.text for each in shown) == "a " + "•" * 13 + " b c"
    assert sum(each.cell_length for each in shown) == sum(each.cell_length for each in line)


def test_a_mistake_of_ours_prints_no_secret(
    run: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register_secret(KEY)

    def breaks(*_: object) -> None:
        raise RuntimeError(f"unexpected: {KEY}")

    monkeypatch.setattr("tui.cli.commands.runs.open_project", breaks)
    done = run("runs")
    assert done.code == 1
    assert "RuntimeError" in done.err
    assert "Pr0j" not in done.err


def test_every_command_writes_through_the_one_gate() -> None:
    """A command that printed past ``report.echo`` could print a secret."""
    past = []
    for path in (Path(__file__).parents[2] / "tui").rglob("*.py"):
        if path.name in ("report.py", "main.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("click.echo", "click.secho", "print"):
                past.append(f"{path.name}:{node.lineno}")
    # The app's last words, which tui.app.exit_message has hidden.
    assert [each for each in past if not each.startswith("launch.py")] == []


@pytest.mark.long
@pytest.mark.parametrize("piece", ["://a:", "a:b@", "://", "x" * 8 + "://y:z", "•••", "\\"])
def test_hiding_takes_time_in_proportion_to_the_text(piece: str) -> None:
    register_secret("sk-some-secret-of-mine")

    def seconds(count: int) -> float:
        text = piece * count
        times = []
        for _ in range(3):
            begun = time.process_time()
            without_secrets(text)
            times.append(time.process_time() - begun)
        return min(times)

    seconds(1_000)
    once, twice = seconds(20_000), seconds(80_000)
    assert twice < max(once, 0.005) * 12, (once, twice)
