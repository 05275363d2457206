"""Settings with mistakes in them name the file and the line; a language model's answer may be any bytes."""

from __future__ import annotations

import socketserver
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dataset.captions.models.vision_server import answer_of
from engine.errors import LimnerError, ProjectError, PromptError
from engine.llm.server import ModelServer
from engine.project import Project
from engine.prompts.llm.answers import prompts_in
from engine.settings import read_settings
from tests.commands.conftest import Run, run  # noqa: F401
from tui.theming.keymap import keymap_of
from tui.theming.themes import load_themes
from tui.theming.user_config import read_config

WRONG = {
    "unknown key": ('[person]\ntrigger = "a"\n\n[training]\nepochz = 3\n', 5, "unknown key training.epochz"),
    "unknown table": ('[person]\ntrigger = "a"\n\n[trainig]\nrank = 3\n', 4, "unknown key trainig"),
    "wrong type": ('# words\n\n[training]\nrank = "many"\n', 4, "training.rank = 'many' is invalid"),
    "out of range": ("[training]\nepochs = -1\n", 2, "training.epochs = -1 is invalid"),
    "dotted": ('training.rank = 8\ntraining.batch_size = "x"\n', 2, "training.batch_size = 'x' is invalid"),
    "quoted": ('["training"]\n"batch_size" = "x"\n', 2, "training.batch_size = 'x' is invalid"),
    "in a list": ('[training]\nrank = 8\nsample_prompts = ["a", 3]\n', 3, "training.sample_prompts.1 = 3 is invalid"),
    "no table": ("person = 3\n", 1, "person = 3 is invalid"),
    "endless number": ("[training]\nlearning_rate = nan\n", 2, "training.learning_rate = nan is invalid"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_in_the_settings_is_named_with_file_and_line(name: str, project: Project, run: Run) -> None:  # noqa: F811
    text, line, what = WRONG[name]
    project.settings_path.write_text(text, "utf-8")
    with pytest.raises(ProjectError) as caught:
        read_settings(project.settings_path)
    assert caught.value.one_line().startswith(f"{project.settings_path}:{line}: {what}")
    assert f"limner.toml:{line}: " in run("faces", "list").failure


@pytest.mark.parametrize(
    "content", [b"[person\n", b"\xff\xfe\x00", b"\0", b"a = 1\na = 2\n", b"[person]\ntrigger = 'a\x1b[31m'\n"]
)
def test_a_settings_file_that_is_no_toml_is_told_in_one_line_and_stays(
    content: bytes,
    project: Project,
    run: Run,  # noqa: F811
) -> None:
    project.settings_path.write_bytes(content)
    assert "limner.toml" in run("faces", "list").failure
    with pytest.raises(LimnerError):
        project.change({"person.name": "James"})
    assert project.settings_path.read_bytes() == content


def test_settings_over_something_that_is_no_table_are_refused(project: Project) -> None:
    project.settings_path.write_text("person = 3\n", "utf-8")
    with pytest.raises(ProjectError, match="person is not a table"):
        project.change({"person.name": "James"})


def test_the_user_s_keys_and_themes_name_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '# mine\nbell = "loud"\n\n[keys]\n"faces.keap" = "k"\n"faces.reject" = 7\nx = 1\n'
    )
    told = [problem.one_line() for problem in keymap_of(read_config(tmp_path)).problems]
    path = tmp_path / "config.toml"
    assert [line.partition(": ")[0] for line in sorted(told)] == [f"{path}:{number}" for number in (2, 5, 6, 7)]
    themes = {
        "type": ('name = "a"\ndark = "perhaps"\n[colors]\nprimary = "red"\n', "line 2: dark: "),
        "unknown": (
            'name = "a"\n[colors]\nprimary = "red"\nprimery = "red"\nforeground = "red"\nbackground = "red"\n',
            "line 4: ",
        ),
        "colour": ('name = "a"\n[colors]\nprimary = "red"\nforeground = "#zzz"\nbackground = "black"\n', "line 4: "),
        "toml": ('name = "a"\nname = \n', "(at line 2, column 8)"),
    }
    for name, (text, _) in themes.items():
        (tmp_path / f"{name}.toml").write_text(text)
    (tmp_path / "config.toml").unlink()
    _, problems = load_themes([tmp_path])
    told_of = {problem.path.stem: problem.why for problem in problems}
    assert all(line in told_of[name] for name, (_, line) in themes.items()), told_of


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=400), st.binary(max_size=400).map(lambda data: data.decode("utf-8", "replace"))))
def test_any_answer_of_a_language_model_is_read_or_left(answer: str) -> None:
    assert all(isinstance(prompt, str) for prompt in prompts_in(answer))
    assert isinstance(answer_of(answer), str)


@pytest.mark.parametrize(
    "answer",
    [
        *("[" * 200_000, '{"a":' * 50_000, "```" * 50_000, "<think>" * 50_000, "1. " * 100_000),
        *('["\\ud800 one two three"]', '{"prompt": "one \\q two three"', '["one \\u12 two", 3'),
    ],
    ids=lambda answer: f"{answer[:20]} and so on",
)
def test_answers_made_to_hurt_are_read_in_a_moment(answer: str) -> None:
    began = time.process_time()
    assert isinstance(prompts_in(answer), list)
    assert isinstance(answer_of(answer), str)
    assert time.process_time() - began < 5


HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n"
ANSWERS = {
    "nothing": b"",
    "noise": bytes(range(256)) * 20,
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "no json": HEAD + b"data: \xff\xfe\x00\n\ndata: {\n\n",
    "a page": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>\x1b[31m</html>",
    "odd json": HEAD
    + b'data: {"choices": 7}\n\ndata: [1]\n\ndata: {"choices": [null]}\n\ndata: {"choices": [{"delta": 3}]}\n\n',
    "in circles": HEAD + b"data: " + b"[" * 100_000 + b"\n\n",
    "a lying length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\nConnection: close\r\n\r\n{}",
    "a line without end": HEAD + b"data: " + b"x" * 3_000_000,
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
    "an error of bytes": b"HTTP/1.1 500 \xff\r\nConnection: close\r\n\r\n\xff\x1b]0;a\x07",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_any_bytes_from_a_model_s_server_are_an_answer_or_a_plain_error(name: str) -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(ANSWERS[name])

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        model = ModelServer(f"http://127.0.0.1:{server.server_address[1]}/v1", None, 5.0)
        for ask in (model.models, lambda: model.answer({"model": "m", "messages": []})):
            try:
                told = ask()
            except PromptError as error:
                told = error.one_line()
            assert isinstance(told, list) or "\n" not in told
            assert len(told) < 500 or name == "a line without end"
        server.shutdown()
