"""Pictures as a terminal gets them: which way is found, what is sent, what is left behind; byte by byte."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from engine.project import Project
from tests.support.pictures import settle
from tests.support.story import story_project
from tests.tui.pseudo_terminal import PseudoTerminal
from tui.app.app import LimnerApp
from tui.terminal.hires import MOST_BYTES, sharpen
from tui.terminal.kitty import PLACEHOLDER, coded, forgetting, placeholders, sending, through_tmux
from tui.terminal.multiplexer import Tmux, read_tmux
from tui.terminal.protocol import PASSTHROUGH_FIX, Protocol, choose
from tui.terminal.responses import DEVICE_QUERY, Answers
from tui.terminal.sixel import sixels
from tui.text.sanitize import sanitize
from tui.widgets.text_line import TextLine

KITTY = b"\x1b_Gi=31;OK\x1b\\\x1bP>|kitty(0.35.2)\x1b\\\x1b[6;20;10t\x1b[?62;c"
XTERM = b"\x1bP>|XTerm(388)\x1b\\\x1b[6;16;8t\x1b[?64;1;2;4;6c"
WEZTERM = b"\x1b_Gi=31;OK\x1b\\\x1bP>|WezTerm 20240203\x1b\\\x1b[6;20;10t\x1b[?65;1c"

SENT = re.compile(rb"\x1b_Ga=T,U=1,q=2,f=100,t=d,i=(\d+),c=(\d+),r=(\d+),m=[01];")


SENDING = re.compile(rb"\x1b_G[^\x1b]*\x1b\\\\")


def tiles(output: bytes) -> set[bytes]:
    """The numbers of the small pictures that were sent."""
    return {number for number, columns, _ in SENT.findall(output) if int(columns) <= 24}


class Answering(PseudoTerminal):
    """A terminal that answers the question: at once, late or never."""

    def __init__(self, *arguments: str, answer: bytes = b"", late: float = 0.0, **environment: str) -> None:
        self.answer, self.late, self.due = answer, late, 0.0
        self.seen = b""
        super().__init__(*arguments, environment=environment)

    def received(self, data: bytes) -> None:
        self.seen += data
        if DEVICE_QUERY.encode() in self.seen and self.answer and not self.due:
            self.due = time.monotonic() + self.late
        if self.due and time.monotonic() >= self.due and self.answer:
            self.answer_now()

    def answer_now(self) -> None:
        answer, self.answer = self.answer, b""
        self.write(answer)


def opened(project: Project, answer: bytes = b"", **environment: str) -> Answering:
    return Answering("-C", str(project.root), answer=answer, **environment)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return story_project(tmp_path_factory.mktemp("story") / "james", faces=8)


def answers(data: bytes) -> Answers:
    said = Answers()
    said.take(data)
    return said


class TestWhatTheTerminalSays:
    @pytest.mark.parametrize("at", range(1, len(KITTY)))
    def test_is_understood_wherever_it_was_cut(self, at: int) -> None:
        said = Answers()
        typed = said.take(KITTY[:at]) + said.take(KITTY[at:])
        # A lone Esc is never held back: it may have been pressed.
        if KITTY[at - 1 : at] != b"\x1b":
            assert (typed, said.kitty, said.brand, said.cell, said.done) == (b"", True, "kitty", (10, 20), True)

    def test_leaves_what_was_typed_meanwhile_in_order(self) -> None:
        said = Answers()
        assert said.take(b"jk" + KITTY[:30] + b"") + said.take(KITTY[30:] + b"\x1b[Aq") == b"jk\x1b[Aq"

    @pytest.mark.parametrize("keys", [b"\x1b", b"\x1b[A", b"\x1b[6~", b"\x1bOQ", b"\x1b[<0;3;4M", b"\x1b[?2026;2$y"])
    def test_is_no_key(self, keys: bytes) -> None:
        said = Answers()
        assert said.take(keys) + said.release() == keys

    def test_that_never_ends_is_not_waited_for(self) -> None:
        said = Answers()
        said.take(b"\x1b_G" + b"x" * 3000)
        said.take(b"x" * 3000)
        assert said.take(b"j") == b"j"

    def test_of_a_wrong_size_is_not_believed(self) -> None:
        assert answers(b"\x1b[6;0;0t").cell is None


class TestTheChoice:
    def test_takes_placeholders_only_where_they_are_known_to_work(self) -> None:
        assert choose(answers(KITTY), None, {}).protocol is Protocol.KITTY
        assert choose(answers(WEZTERM), None, {}).protocol is Protocol.HALF_BLOCKS
        assert choose(answers(XTERM), None, {}).protocol is Protocol.SIXEL
        assert choose(Answers(), None, {}).protocol is Protocol.HALF_BLOCKS
        assert choose(answers(KITTY.replace(b"OK", b"ENOTSUP")), None, {}).protocol is Protocol.HALF_BLOCKS

    def test_needs_true_colours_for_placeholders_and_says_how_to_get_them(self) -> None:
        found = choose(answers(KITTY), None, {}, colours=False)
        assert found.protocol is Protocol.HALF_BLOCKS
        assert found.fix == "export COLORTERM=truecolor"

    def test_can_be_set(self) -> None:
        assert choose(Answers(), None, {"LIMNER_PICTURES": "sixel"}).protocol is Protocol.SIXEL
        assert choose(answers(KITTY), None, {"LIMNER_PICTURES": "half-blocks"}).protocol is Protocol.HALF_BLOCKS
        assert choose(answers(KITTY), None, {}, wanted="half-blocks").protocol is Protocol.HALF_BLOCKS

    def test_behind_tmux_counts_who_is_attached_and_what_is_handed_on(self) -> None:
        kitty = Tmux("3.4", passthrough=True, terminals=("kitty(0.35.2)",), colours=True)
        found = choose(answers(b"\x1b[?1;2c"), kitty, {})
        assert (found.protocol, found.through_tmux) == (Protocol.KITTY, True)
        closed = choose(Answers(), Tmux("3.3a", False, ("kitty(0.35.2)",), True), {})
        assert (closed.protocol, closed.fix) == (Protocol.HALF_BLOCKS, PASSTHROUGH_FIX)
        both = Tmux("3.4", passthrough=True, terminals=("kitty(0.35.2)", "XTerm(388)"), colours=True)
        assert choose(Answers(), both, {}).protocol is Protocol.HALF_BLOCKS

    def test_reads_tmux(self) -> None:
        told = "3.4\ton\nkitty(0.35.2)\txterm-kitty\tbpaste,RGB,title\n\txterm-256color\tRGB\n"
        assert read_tmux(told) == Tmux("3.4", True, ("kitty(0.35.2)", "xterm-256color"), True)
        assert read_tmux("") == Tmux("?", False)


class TestWhatIsSent:
    def test_is_a_png_in_chunks_and_comes_out_as_it_went_in(self) -> None:
        picture = Image.effect_noise((300, 200), 90).convert("RGB")
        parts = sending(coded(picture), 77, 20, 10)
        assert all(len(part) < 4096 + 80 for part in parts)
        assert "i=77,c=20,r=10,m=1;" in parts[0]
        assert all("m=1;" in part for part in parts[:-1])
        assert "m=0;" in parts[-1]
        data = "".join(part.partition(";")[2].removesuffix("\x1b\\") for part in parts)
        with Image.open(BytesIO(base64.b64decode(data))) as got:
            assert got.size == (300, 200)

    def test_placeholders_are_cells_of_their_width_in_the_number_s_colour(self) -> None:
        strips = placeholders(0x123456, 30, 8)
        assert [strip.cell_length for strip in strips] == [30] * 8
        segment = next(iter(strips[1]))
        assert segment.text.count(PLACEHOLDER) == 30
        assert segment.text.startswith(PLACEHOLDER + "\u030d\u0305")
        assert segment.style is not None
        assert segment.style.color is not None
        assert segment.style.color.triplet == (0x12, 0x34, 0x56)

    @pytest.mark.long
    def test_is_bounded_however_large_and_wild_the_picture(self) -> None:
        picture = Image.effect_noise((1600, 1200), 200).convert("RGB")
        for protocol in (Protocol.KITTY, Protocol.SIXEL):
            sharp = sharpen(picture, 200, 60, (protocol, (10, 20)))
            assert len(sharp.data) <= MOST_BYTES

    def test_a_sixel_says_its_size_and_draws_every_dot(self) -> None:
        picture = Image.new("RGB", (20, 14), (200, 30, 30))
        picture.paste((10, 200, 10), (10, 0, 20, 14))
        text = sixels(picture)
        assert text.startswith("\x1bP")
        assert '"1;1;20;14' in text
        assert text.endswith("-\x1b\\")
        assert decoded(text) == [[(78, 12, 12)] * 10 + [(4, 78, 4)] * 10] * 14

    def test_is_wrapped_for_tmux(self) -> None:
        assert through_tmux(forgetting(3)) == "\x1bPtmux;\x1b\x1b_Ga=d,d=I,i=3,q=2\x1b\x1b\\\x1b\\"


class TestInTheApp:
    def test_a_terminal_with_placeholders_gets_the_picture_and_drops_it(self, faces: Project) -> None:
        with opened(faces, KITTY) as terminal:
            terminal.wait_for("\x1b_Ga=T,U=1")
            terminal.wait_for(PLACEHOLDER)
            terminal.wait_until_quiet()
            numbers = {found[1] for found in SENT.finditer(terminal.output)}
            os.kill(terminal.pid, signal.SIGTERM)
            assert terminal.wait_until_ended() == 128 + signal.SIGTERM
            left = terminal.output.rpartition(b"\x1b[?1049l")[0]
            assert all(b"\x1b_Ga=d,d=I,i=" + number + b",q=2" in left for number in numbers)
            assert terminal.as_it_was

    @pytest.mark.long
    def test_a_key_goes_back_to_half_blocks_and_forth(self, faces: Project) -> None:
        with opened(faces, KITTY) as terminal:
            terminal.wait_for(PLACEHOLDER)
            terminal.wait_until_quiet()
            seen = len(terminal.output)
            terminal.write(b"I")
            terminal.wait_until_quiet()
            assert "▀".encode() in terminal.output[seen:]
            assert PLACEHOLDER.encode() not in terminal.output[seen:]

    @pytest.mark.long
    def test_nothing_is_sent_twice_and_nothing_while_nothing_happens(self, faces: Project) -> None:
        with opened(faces, KITTY) as terminal:
            terminal.wait_for(PLACEHOLDER)
            terminal.wait_until_quiet()
            assert len(SENT.findall(terminal.output)) == 1
            terminal.write(b"jk")
            terminal.wait_until_quiet()
            assert len(SENT.findall(terminal.output)) == 1
            assert terminal.take(2.0) == b""

    @pytest.mark.long
    def test_thumbnails_are_sharp_once_a_page_is_looked_at_and_sent_once(self, tmp_path: Path) -> None:
        project = story_project(tmp_path / "james", faces=40)
        with opened(project, KITTY) as terminal:
            terminal.wait_for(PLACEHOLDER)
            terminal.wait_until_quiet()
            alone = len(SENT.findall(terminal.output))
            terminal.write(b"t")
            terminal.wait_until_quiet(1.0)
            page = tiles(terminal.output)
            assert len(page) > 6
            assert sum(len(each) for each in SENDING.findall(terminal.output)) < 400_000
            terminal.write(b"G")
            terminal.wait_until_quiet(1.0)
            both = tiles(terminal.output)
            assert len(both) > len(page) + 4
            terminal.write(b"gg")
            terminal.wait_until_quiet(1.0)
            assert tiles(terminal.output) == both
            seen = len(terminal.output)
            terminal.write(b"I")
            terminal.wait_until_quiet()
            assert PLACEHOLDER.encode() not in terminal.output[seen:]
            assert alone == 1
            terminal.write(b"q")
            assert terminal.wait_until_ended() == 0
            assert all(b"\x1b_Ga=d,d=I,i=" + number + b",q=2" in terminal.output for number in both)

    @pytest.mark.parametrize("keys", [b"", b"t"], ids=["a picture", "thumbnails"])
    @pytest.mark.long
    def test_below_a_dialog_pictures_are_half_blocks(self, faces: Project, keys: bytes) -> None:
        with opened(faces, KITTY) as terminal:
            terminal.wait_for(PLACEHOLDER)
            terminal.write(keys)
            terminal.wait_until_quiet(1.0)
            seen = len(terminal.output)
            terminal.write(b"\x1bOP")
            terminal.wait_until_quiet()
            assert PLACEHOLDER.encode() not in terminal.output[seen:]
            seen = len(terminal.output)
            terminal.write(b"q")
            terminal.wait_until_quiet()
            assert PLACEHOLDER.encode() in terminal.output[seen:]
            assert not SENT.search(terminal.output[seen:])

    @pytest.mark.long
    def test_sixel_is_drawn_where_the_picture_is(self, faces: Project) -> None:
        with opened(faces, XTERM) as terminal:
            terminal.wait_for('q"1;1;')
            terminal.wait_until_quiet()
            place = re.search(rb"\x1b7\x1b\[(\d+);(\d+)H\x1bP0;0;0q\"1;1;(\d+);(\d+)", terminal.output)
            assert place is not None
            row, column, width, height = map(int, place.groups())
            assert row > 1
            assert row + height // 16 <= 30
            assert column > 60
            assert column + width // 8 <= 121

    def test_a_silent_terminal_gets_half_blocks_without_waiting(self, faces: Project) -> None:
        with opened(faces) as terminal:
            terminal.wait_for("Which faces are good?")
            terminal.wait_for("▀▀")
            assert b"\x1b_Ga=T" not in terminal.output

    @pytest.mark.long
    def test_an_answer_that_comes_late_is_no_key_and_changes_the_pictures(self, faces: Project) -> None:
        with opened(faces) as terminal:
            terminal.wait_for("▀▀")
            terminal.wait_until_quiet()
            # As keys, the 6 of ``CSI 6 ; 20 ; 10 t`` would go to another screen, and the c clear a decision.
            for byte in (KITTY[:25], KITTY[25:40], KITTY[40:]):
                terminal.write(byte)
                terminal.take(0.02)
            terminal.wait_for(PLACEHOLDER)
            assert b"What was painted" not in terminal.output

    @pytest.mark.long
    def test_an_answer_that_is_wrong_changes_nothing(self, faces: Project) -> None:
        with opened(
            faces, b"\x1b_Gi=31;EINVAL:what\x1b\\\x1bP>|\xff\xfe\x1b\\\x1b[6;;t\x1b[?c\x1b_Gnever ends"
        ) as terminal:
            terminal.wait_for("▀▀")
            terminal.wait_until_quiet()
            terminal.write(b"\x1bOQ")
            terminal.wait_for("earch for commands")
            assert b"\x1b_Ga=T" not in terminal.output

    def test_what_is_typed_before_the_first_frame_arrives(self, faces: Project) -> None:
        with opened(faces, KITTY) as terminal:
            terminal.wait_for(DEVICE_QUERY)
            terminal.write(b"\x1bOQ")
            terminal.wait_for("earch for commands")

    @pytest.mark.long
    def test_nothing_is_echoed_before_the_app_is_there(self, faces: Project) -> None:
        with opened(faces, KITTY) as terminal:
            terminal.wait_for("Which faces are good?")
            assert b"^[" not in terminal.output.partition(b"\x1b[?1049h")[0]


class TestTextFromOutside:
    def test_what_steers_a_terminal_becomes_a_sign(self) -> None:
        assert sanitize("a\x1b]0;title\x07b") == "a␛]0;title␇b"
        assert sanitize("photo\u202egpj.exe\x9b2J") == "photo\ufffdgpj.exe\ufffd2J"
        assert sanitize("one\ntwo\tthree") == "one two three"
        assert sanitize("James – Zoë 日本 👩") == "James – Zoë 日本 👩"

    async def test_a_name_with_markup_and_escapes_is_shown_and_does_nothing(self, tmp_path: Path) -> None:
        project = story_project(tmp_path / "james", faces=3)
        name = "[red]a[/b] \x1b]0;owned\x07\u202egpj.jpg"
        with project.store() as store, store.change() as change:
            change.execute("UPDATE faces SET file_name = ?", (name,))
        app = LimnerApp(project.root, project)
        async with app.run_test(size=(160, 30)) as pilot:
            await settle(pilot)
            await pilot.press("slash", *"owned", "enter")
            await settle(pilot)
            app.notify(name, markup=False)
            await settle(pilot)
            drawn = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
            app.screen.query_one("#filter", TextLine).value = "\x1b[2J\x9b2J"
            await settle(pilot)
            drawn += "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "[2J2J" in drawn
        assert "[red]a[/b] ␛]0;owned␇\ufffdgpj.jpg" in drawn
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", drawn)


def decoded(text: str) -> list[list[tuple[int, int, int]]]:
    """A sixel's dots, in percent of each colour: a reader of its own, from the manual."""
    width, height = map(int, re.findall(r'"1;1;(\d+);(\d+)', text)[0])
    body = text.partition(f'"1;1;{width};{height}')[2].removesuffix("\x1b\\")
    dots = [[(0, 0, 0)] * width for _ in range(height + 6)]
    colours: dict[int, tuple[int, int, int]] = {}
    across = top = colour = 0
    for token in re.findall(r"#\d+(?:;2;\d+;\d+;\d+)?|!\d+.|[$\-?-~]", body):
        if token.startswith("#"):
            numbers = [int(number) for number in token[1:].split(";")]
            colour = numbers[0]
            if len(numbers) == 5:
                colours[colour] = (numbers[2], numbers[3], numbers[4])
        elif token == "$":
            across = 0
        elif token == "-":
            across, top = 0, top + 6
        else:
            times, sign = (int(token[1:-1]), token[-1]) if token.startswith("!") else (1, token)
            for bit in range(6):
                if (ord(sign) - 63) >> bit & 1:
                    dots[top + bit][across : across + times] = [colours[colour]] * times
            across += times
    return dots[:height]


def test_coding_a_sixel_imports_nothing_that_asks_the_terminal_by_itself() -> None:
    program = (
        "import sys; from PIL import Image; from tui.terminal.sixel import sixels; sixels(Image.new('RGB', (8, 8)));"
        "print([name for name in sys.modules if name.startswith(('textual_image.renderable', 'textual_image.widget'))])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
