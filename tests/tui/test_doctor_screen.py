"""The doctor of the terminal, and the doctor's screen."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from engine.doctor import Check
from engine.project import Project
from tests.tui.pseudo_terminal import PseudoTerminal
from tests.tui.test_journeys import press, shown, type_text, until
from tui.app.app import LimnerApp
from tui.screens.doctor.screen import DoctorScreen, check_lines
from tui.terminal.checks import colour_check, letters_check, picture_check, tmux_checks
from tui.terminal.multiplexer import Tmux
from tui.terminal.query import Asked
from tui.widgets.ink import text_of, width_of


def test_few_colours_are_told_with_what_gets_more() -> None:
    assert colour_check({"TERM": "xterm-256color", "COLORTERM": "truecolor"}).ok
    assert colour_check({"TERM": "xterm-256color"}).fix == "export COLORTERM=truecolor"
    assert "16" in colour_check({"TERM": "linux"}).detail
    assert colour_check({"NO_COLOR": "1"}).ok


def test_a_locale_without_utf8_is_told() -> None:
    assert letters_check({}, "utf-8").ok
    check = letters_check({"LC_ALL": "POSIX"}, "ANSI_X3.4-1968")
    assert "(POSIX)" in check.detail
    assert check.fix == "export LC_ALL=C.UTF-8"


@pytest.fixture
def tmux(tmp_path: Path) -> dict[str, str]:
    """A tmux server with its options as they come; the environment of its pane."""
    socket = tmp_path / "tmux"
    command = ["tmux", "-S", str(socket), "-f", "/dev/null"]
    subprocess.run([*command, "new-session", "-d", "sleep", "600"], check=True, env={**os.environ, "TMUX": ""})
    told = subprocess.run([*command, "display", "-p", "#{pid},#{pane_id}"], check=True, capture_output=True, text=True)
    pid, pane = told.stdout.strip().split(",")
    yield {"TMUX": f"{socket},{pid},0", "TMUX_PANE": pane, "PATH": os.environ["PATH"]}
    subprocess.run([*command, "kill-server"], check=True)


def test_tmux_s_options_are_told_and_the_commands_mend_them(
    tmux: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in tmux.items():
        monkeypatch.setenv(name, value)
    asked = Asked()
    asked.tmux = Tmux("3.3a", passthrough=False)
    before = {check.name: check for check in tmux_checks(asked, os.environ)}
    assert not before["tmux escape-time"].ok
    assert not before["tmux focus-events"].ok
    for check in before.values():
        if check.fix:
            subprocess.run(check.fix, shell=True, check=True)
    after = {check.name: check for check in tmux_checks(asked, os.environ)}
    assert after["tmux escape-time"].ok
    assert after["tmux focus-events"].ok


def test_outside_of_tmux_nothing_is_said_of_it() -> None:
    assert tmux_checks(Asked(), {}) == []


def test_how_pictures_are_drawn_is_told() -> None:
    check = picture_check(Asked(), {"LIMNER_PICTURES": "half-blocks"}, "auto")
    assert check.ok
    assert check.detail == "half-blocks: LIMNER_PICTURES says so"


def test_what_is_wrong_comes_first_and_fits() -> None:
    checks = [
        Check("fine", True, "yes"),
        Check("slow", False, "a little " * 9, "mend"),
        Check("gone", False, "no", "go", True),
    ]
    lines = check_lines(checks, 40)
    assert text_of(lines[0]) == "✗ gone"
    assert max(map(width_of, lines)) <= 40
    assert "✓ fine: yes" in [text_of(line) for line in lines]


@pytest.mark.long
async def test_the_doctor_is_found_in_the_palette_and_in_the_help(story: Project) -> None:
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "colon")
        await type_text(pilot, "doctor")
        await until(pilot, lambda: "Doctor:" in shown(pilot))
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, DoctorScreen) and "✓ torch" in shown(pilot))
        assert "every hue" in shown(pilot)
        await press(pilot, "q", "question_mark", "d")
        await until(pilot, lambda: isinstance(app.screen, DoctorScreen))
        await press(pilot, "q")
        assert not isinstance(app.screen, DoctorScreen)


def test_the_command_asks_the_terminal_and_leaves_it_as_it_was(project: Project) -> None:
    project.change({"base.model": "demo"})
    with PseudoTerminal("-C", str(project.root), "doctor") as terminal:
        assert terminal.wait_until_ended() == 0
        told = terminal.output.decode()
        assert "120 × 30" in told
        assert "UTF-8" in told
        assert "half-blocks" in told
        assert terminal.as_it_was
