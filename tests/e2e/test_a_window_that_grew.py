"""A terminal whose window grew while the app was open has the shell's lines again, and nothing of the app's."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.project import Project
from tests.e2e.tmux import Terminal
from tests.support.patience import Patience

REPOSITORY = Path(__file__).parents[2]


def test_after_the_window_grew_the_shell_shows_nothing_of_the_app(project: Project) -> None:
    app = [sys.executable, "-m", "tui.cli", "-C", str(project.root)]
    # With these set an app would keep to them, whatever size the window has.
    command = ["sh", "-c", f"unset COLUMNS LINES; echo before; {' '.join(app)}; echo after"]
    with Terminal(command, columns=80, rows=24, cwd=REPOSITORY) as terminal:
        terminal.wait_for("1 Connect", "Where are your photos?")
        terminal.resize(120, 40)
        patience = Patience()
        while "q quit" not in "".join(terminal.screen().splitlines()[39:]):
            assert patience.wait(), terminal.screen()
        terminal.press("q")
        assert terminal.wait_until_ended() == 0
        shown = terminal.screen()
    assert "Connect" not in shown
    assert "Where are your photos?" not in shown
    assert [line for line in shown.splitlines() if line.strip()][:2] == ["before", "after"]
