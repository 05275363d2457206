"""The app in a pseudo-terminal: what no simulated keyboard can show."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from engine.faces.records.decisions import Decision, Ledger
from engine.project import Project
from tests.support.patience import Patience
from tests.tui.pseudo_terminal import PseudoTerminal

RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?1006l", b"\x1b[?2004l")
"""Main screen, cursor shown, mouse off, bracketed paste off."""

ASCII = {"LC_ALL": "POSIX", "LANG": "", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def opened(folder: Path, **environment: str) -> PseudoTerminal:
    return PseudoTerminal("-C", str(folder), environment=environment)


PLAIN_APP = """
from textual.app import App
from textual.widgets import Static
class Plain(App[None]):
    def compose(self):
        yield Static("plainly here")
Plain().run()
"""


@pytest.mark.long
def test_the_first_frame_takes_at_most_five_times_a_one_line_app_s(project: Project) -> None:
    ours, plain = [], []
    for _ in range(4):
        with opened(project.root) as terminal:
            ours.append(terminal.wait_for("Where are your photos?"))
        with PseudoTerminal(command=[sys.executable, "-c", PLAIN_APP]) as terminal:
            plain.append(terminal.wait_for("plainly here"))
    # Beside it, since a machine that is slow or runs everything else is no slower for one of the two.
    assert min(ours) < 5 * min(plain), (ours, plain)


@pytest.mark.long
def test_a_mouse_report_in_the_legacy_encoding_does_not_end_the_app(project: Project) -> None:
    with opened(project.root) as terminal:
        terminal.wait_for("Where are your photos?")
        column = 32 + 110
        terminal.write(b"\x1b[M" + bytes([32, column, 32 + 5]))
        terminal.write(b"\x1b")
        terminal.wait_until_quiet(0.5)
        terminal.write(b"\x1bOQ")  # F2
        terminal.wait_for("earch for commands")
        assert b"UnicodeDecodeError" not in terminal.output


def test_textual_alone_still_dies_of_such_a_report() -> None:
    with PseudoTerminal(command=[sys.executable, "-c", PLAIN_APP]) as terminal:
        terminal.wait_for("plainly here")
        terminal.write(b"\x1b[M" + bytes([32, 32 + 110, 32 + 5]))
        terminal.wait_for("UnicodeDecodeError")
        # Where this fails Textual has mended it (textual#6668): the decoding in ``tui.terminal.driver`` may go.


def test_a_signal_ends_the_app_although_the_terminal_takes_nothing_more(story: Project) -> None:
    """A stopped screen, a dead line: decisions are saved, the modes are put back, nobody hangs."""
    with opened(story.root) as terminal:
        terminal.wait_for(" of 30 ")
        terminal.wait_until_quiet()
        terminal.write(b"y")
        terminal.wait_for("7 kept")
        # Nobody reads any more, and enough is asked for to fill every buffer on the way.
        deadline = time.monotonic() + 8
        while not blocked(terminal) and time.monotonic() < deadline:
            terminal.write(b"jk2425")
            select.select([], [], [], 0.05)
        os.kill(terminal.pid, signal.SIGTERM)
        ended, patience = 0, Patience()
        while not ended and patience.wait():
            ended, status = os.waitpid(terminal.pid, os.WNOHANG)
        assert ended, "it hangs"
        terminal.status = os.waitstatus_to_exitcode(status)
        assert terminal.status == 128 + signal.SIGTERM
        assert terminal.as_it_was
    with story.store() as store:
        assert Ledger(store).face(1).decision is Decision.KEEP


def blocked(terminal: PseudoTerminal) -> bool:
    """Whether the app waits for the terminal to take what it wrote: a thread of it sleeps in a terminal's write."""
    tasks = Path(f"/proc/{terminal.pid}/task").iterdir()
    return any((task / "wchan").read_text() in ("wait_woken", "n_tty_write") for task in tasks)


@pytest.mark.long
def test_the_mouse_is_asked_for_again_after_a_reattach(project: Project) -> None:
    with opened(project.root) as terminal:
        terminal.wait_for("Where are your photos?")
        terminal.wait_until_quiet()
        before = terminal.output.count(b"\x1b[?1006h")
        terminal.write(b"\x1b[O\x1b[I")  # focus lost, focus regained
        terminal.wait_until(lambda: terminal.output.count(b"\x1b[?1006h") > before)
        terminal.wait_until_quiet()
        before = terminal.output.count(b"\x1b[?1006h")
        os.kill(terminal.pid, signal.SIGWINCH)
        terminal.wait_until(lambda: terminal.output.count(b"\x1b[?1006h") > before)


def test_after_a_stop_the_whole_screen_is_drawn_again(project: Project) -> None:
    """As ``kill -TSTP`` and ``fg`` do it: the shell's screen comes and goes in between."""
    with opened(project.root) as terminal:
        terminal.wait_for("Where are your photos?")
        terminal.wait_until_quiet()
        os.kill(terminal.pid, signal.SIGTSTP)
        os.waitpid(terminal.pid, os.WUNTRACED)
        stopped_at = len(terminal.output)
        os.kill(terminal.pid, signal.SIGCONT)
        for words in ("Connect", "Where are your photos?", "quit"):
            terminal.wait_until(lambda words=words: words.encode() in terminal.output[stopped_at:])
        terminal.write(b"2")
        terminal.wait_for("Which faces are good?")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was(project: Project, number: signal.Signals) -> None:
    with opened(project.root) as terminal:
        terminal.wait_for("Where are your photos?")
        os.kill(terminal.pid, number)
        assert terminal.wait_until_ended() == 128 + number
        assert all(sequence in terminal.output for sequence in RESTORED)
        assert terminal.as_it_was
        assert b"Traceback" not in terminal.output


def test_a_terminal_that_goes_away_ends_the_app(project: Project) -> None:
    with opened(project.root) as terminal:
        terminal.wait_for("Where are your photos?")
        os.close(terminal.handle)
        _, status = os.waitpid(terminal.pid, 0)
        terminal.status = os.waitstatus_to_exitcode(status)
        assert terminal.status in (128 + signal.SIGHUP, -signal.SIGHUP)


def test_q_leaves_and_the_terminal_is_as_it_was(project: Project) -> None:
    project.change({"library.url": f"sqlite://{project.root}/nothing.db"})
    with opened(project.root) as terminal:
        terminal.wait_for("there is no index")
        terminal.write(b"q")
        assert terminal.wait_until_ended() == 0
        assert all(sequence in terminal.output for sequence in RESTORED)
        assert terminal.as_it_was


@pytest.mark.long
def test_nothing_is_written_while_nothing_happens(project: Project) -> None:
    with opened(project.root) as terminal:
        terminal.wait_for("Where are your photos?")
        terminal.wait_until_quiet()
        assert terminal.take(2.0) == b""


@pytest.mark.long
def test_a_locale_without_utf8_gets_ascii_shapes(project: Project) -> None:
    with opened(project.root, **ASCII) as terminal:
        terminal.wait_for("Where are your photos?")
        terminal.wait_until_quiet()
        drawn = terminal.output
        assert drawn.isascii()
        assert b"\\u2" not in drawn
        assert b"people" in drawn
        assert b"-----" in drawn
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.wait_until_ended() == 128 + signal.SIGTERM


@pytest.mark.long
def test_no_project_is_no_mistake(tmp_path: Path) -> None:
    with opened(tmp_path) as terminal:
        terminal.wait_for("There is no project in this folder yet.")
        terminal.write(b"q")
        assert terminal.wait_until_ended() == 0
