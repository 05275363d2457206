"""What is drawn: half-blocks, the loss chart, bars, times, the top line; read back as pixels and text."""

from __future__ import annotations

import math
import time
from random import Random

import pytest
from PIL import Image

from engine import events
from engine.counting import many
from engine.training.runs.curves import Curves
from engine.training.runs.run_status import RunStatus
from tui.actions import Scope
from tui.terminal.half_blocks import fit, half_blocks
from tui.text.charts.chart import GUTTER, LETTERS, MARK, draw_chart
from tui.text.charts.view import Measure, Trace, View
from tui.text.charts.y_axis import span
from tui.text.meter import bar, clock
from tui.widgets.ink import Ink, cut, giving_way, spread, text_of, width_of
from tui.widgets.topbar import top_line


def trace_of(
    losses: list[float], last_step: int = 0, per_epoch: int = 0, name: str = "one", pace: float = 2.0
) -> Trace:
    curves = Curves()
    for number, loss in enumerate(losses, start=1):
        curves.add(events.Step(number, 1, loss, 1e-4 / number, 20.0, 60.0), number * pace)
        if per_epoch and number % per_epoch == 0:
            curves.end_epoch(events.Epoch(number // per_epoch, loss, loss * 1.2, 9.0), number * pace)
    last = last_step or len(losses)
    return Trace(name, curves, last, last * pace, per_epoch)


def one(trace: Trace, width: int, height: int, view: View | None = None) -> list[list[tuple[str, Ink]]]:
    return draw_chart([trace], view or View(), width, height)


class TestHalfBlocks:
    def test_each_cell_holds_the_upper_pixel_in_front_and_the_lower_one_behind(self) -> None:
        picture = Image.new("RGB", (2, 4))
        picture.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9), (1, 2, 3), (1, 2, 3), (4, 5, 6), (4, 5, 6)])
        strips = half_blocks(picture, 2, 2)
        first = list(strips[0])
        assert [segment.text for segment in first] == ["▀", "▀"]
        assert first[0].style is not None
        assert first[0].style.color is not None
        assert first[0].style.color.triplet == (255, 0, 0)
        assert first[0].style.bgcolor is not None
        assert first[0].style.bgcolor.triplet == (0, 0, 255)
        assert first[1].style is not None
        assert first[1].style.bgcolor is not None
        assert first[1].style.bgcolor.triplet == (9, 9, 9)

    def test_neighbours_of_one_colour_are_one_piece(self) -> None:
        strips = half_blocks(Image.new("RGB", (100, 100), "teal"), 40, 20)
        assert [len(list(strip)) for strip in strips] == [1] * 20
        assert all(strip.cell_length == 40 for strip in strips)

    @pytest.mark.parametrize(
        ("size", "room", "cells"),
        [
            ((100, 100), (40, 20), (40, 20)),
            ((100, 100), (80, 20), (40, 20)),
            ((100, 200), (40, 20), (20, 20)),
            ((300, 100), (30, 20), (30, 5)),
            ((1, 5000), (30, 10), (1, 10)),
        ],
    )
    def test_a_picture_keeps_its_shape(
        self, size: tuple[int, int], room: tuple[int, int], cells: tuple[int, int]
    ) -> None:
        assert fit(*size, *room) == cells


class TestTheLossChart:
    def test_has_labels_epochs_and_dots_in_exactly_the_room_it_got(self) -> None:
        losses = [0.1 * math.exp(-step / 20) + 0.06 for step in range(40)]
        lines = one(trace_of(losses, 100, 10), 60, 8)
        assert len(lines) == 8
        assert all(width_of(line) == 60 for line in lines)
        low, high = float(text_of(lines[-2]).split()[0]), float(text_of(lines[0]).split()[0])
        assert low <= min(losses) < max(losses) <= high
        assert text_of(lines[-1]).split() == ["epoch", *(str(epoch) for epoch in range(1, 11))]

    def test_fills_from_the_left_as_the_run_goes_on(self) -> None:
        lines = one(trace_of([0.1] * 50, 100), 67, 8)
        dots = [index for line in lines for index, letter in enumerate(text_of(line)) if "⠀" < letter <= "⣿"]
        assert min(dots) == 7
        assert max(dots) == pytest.approx(7 + 30, abs=1)

    def test_falls_where_the_loss_falls(self) -> None:
        lines = one(trace_of([1 - step / 100 for step in range(100)], 100), 57, 8)
        bright = [(row, at) for row, line in enumerate(lines) for at in columns_of(line, Ink.ACTIVE)]
        left = min(row for row, at in bright if at < 15)
        right = max(row for row, at in bright if at > 50)
        assert left < right

    def test_one_spike_does_not_flatten_the_rest(self) -> None:
        calm = [0.1 + 0.01 * math.sin(step) for step in range(200)]
        _, high = span([*calm, *[0.1] * 200], [0.1])
        _, spiked = span([*calm, 9.0, *[0.1] * 200], [0.1, 0.5])
        assert high < 0.12
        assert spiked < 1.2

    def test_one_spike_among_twenty_thousand_steps_is_seen(self) -> None:
        losses = [0.1 + 0.02 * (step % 7 == 0) for step in range(20_000)]
        losses[13_000] = 9.0
        lines = one(trace_of(losses), 80, 8)
        column = GUTTER + (80 - GUTTER) * 13_000 // 20_000
        calm = one(trace_of([min(loss, 0.12) for loss in losses]), 80, 8)
        assert text_of(lines[0])[column - 1 : column + 2].strip()
        assert max(float(text_of(each[0]).split()[0]) for each in (lines, calm)) < 1.2

    def test_shows_the_validation_loss_of_each_epoch_as_marks_of_their_own(self) -> None:
        lines = one(trace_of([0.1] * 40, 40, 10), 60, 8)
        marks = [at for line in lines for at, letter in enumerate(text_of(line)) if letter == MARK]
        assert len(marks) == 4

    def test_shows_the_learning_rate_beneath_where_there_is_room(self) -> None:
        lines = one(trace_of([0.1] * 40, 40, 10), 60, 12)
        assert text_of(lines[-2]).split()[0] == "lr"
        bars = text_of(lines[-2])[GUTTER:]
        assert bars[0] > bars[-1]
        assert all(width_of(line) == 60 for line in lines)

    def test_by_powers_of_ten_a_halving_takes_the_same_height_everywhere(self) -> None:
        halving = [2.0 ** (-step / 25) for step in range(200)]
        lines = one(trace_of(halving, 200), 107, 22, View(logarithmic=True))
        top = {at: row for row, line in reversed(list(enumerate(lines[:-2]))) for at in columns_of(line, Ink.ACTIVE)}
        falls = [top[at + 25] - top[at] for at in (20, 45, 70)]
        assert max(falls) - min(falls) <= 1
        assert min(falls) > 2

    def test_by_time_the_clock_stands_beneath(self) -> None:
        lines = one(trace_of([0.1] * 40, 40, 10, pace=90), 60, 8, View(by_time=True))
        assert text_of(lines[-1]).split()[0] == "time"
        assert text_of(lines[-1]).split()[-1] == "1:00:00"

    @pytest.mark.parametrize("measure", Measure)
    @pytest.mark.parametrize("by_time", [False, True])
    def test_each_measure_is_a_chart_of_its_room_for_one_run_and_for_many(
        self, measure: Measure, by_time: bool
    ) -> None:
        runs = [trace_of([0.1 * number] * 40, 40, 10, f"run {number}") for number in range(1, 9)]
        for traces in (runs[:1], runs):
            for width, height in ((40, 6), (80, 12), (200, 40)):
                lines = draw_chart(traces, View(measure, by_time), width, height)
                assert len(lines) == height
                assert all(width_of(line) <= width for line in lines)

    def test_runs_compared_differ_by_letter_and_pattern_besides_their_colour(self) -> None:
        runs = [trace_of([0.1 * number] * 40, 40, 10, f"run-{number}") for number in (1, 2, 3)]
        lines = draw_chart(runs, View(), 80, 12)
        legend = text_of(lines[0])
        assert all(f"{letter} " in legend and f"run-{number}" in legend for number, letter in enumerate("ABC", 1))
        body = "\n".join(text_of(line)[GUTTER:] for line in lines[1:-1])
        assert all(body.count(letter) == 1 for letter in LETTERS[:3])
        rows = [line for line in lines[1:-1] if any(letter in text_of(line)[GUTTER:] for letter in "ABC")]
        gaps = {text_of(line)[GUTTER:60].count(" ") for line in rows}
        assert len(gaps) > 1

    def test_a_constant_loss_a_single_step_and_zero_are_charts_too(self) -> None:
        for losses in ([0.5], [0.5] * 30, [0.0] * 3):
            for view in (View(), View(logarithmic=True), View(by_time=True)):
                lines = one(trace_of(losses, 30, 10), 40, 8, view)
                assert any("⠀" < letter <= "⣿" for line in lines for letter in text_of(line))

    def test_draws_twenty_thousand_steps_in_a_moment(self) -> None:
        chance = Random(1)
        trace = trace_of([0.1 + chance.random() * 0.05 for _ in range(20_000)], per_epoch=2000)
        spent = []
        for _ in range(3):
            before = time.process_time()
            one(trace, 120, 30)
            spent.append(time.process_time() - before)
        assert min(spent) < 0.1


class TestWords:
    @pytest.mark.parametrize(
        ("seconds", "text"), [(None, "–"), (7, "0:07"), (84, "1:24"), (3600, "1:00:00"), (-3, "0:00"), (59.7, "1:00")]
    )
    def test_a_length_of_time(self, seconds: float | None, text: str) -> None:
        assert clock(seconds) == text

    def test_a_count_with_its_noun(self) -> None:
        assert (many(1, "face"), many(1098, "face")) == ("1 face", "1,098 faces")

    @pytest.mark.parametrize("share", [-1, 0, 0.013, 0.5, 0.999, 1, 7])
    def test_a_bar_is_as_long_as_its_room(self, share: float) -> None:
        assert width_of(bar(share, 30)) == 30

    def test_a_line_that_is_too_long_says_so(self) -> None:
        assert text_of(cut([("portrait of ", Ink.PLAIN), ("James", Ink.STRONG)], 14)) == "portrait of J…"
        assert text_of(spread([("a long beginning", Ink.PLAIN)], [("end", Ink.MUTED)], 12)) == "a long… end"

    def test_what_is_told_last_gives_way_first_and_the_name_stays(self) -> None:
        told = [[("1,098 faces ", Ink.PLAIN)], [("212 confirmed", Ink.PLAIN)]]
        rows = [text_of(giving_way([("James", Ink.STRONG)], told, width)) for width in (40, 24, 10)]
        assert rows == [f"James{'1,098 faces 212 confirmed':>35}", "James       1,098 faces ", "James     "]


class TestTheTopLine:
    def test_tells_the_live_run_on_every_screen(self) -> None:
        for scope in (Scope.CONNECT, Scope.PICTURES):
            line = text_of(top_line(scope, running(), 80))
            assert line.endswith("● 3/10 28% 1:24")
            assert "4 Training" in line

    def test_fits_however_narrow_or_long_the_run(self) -> None:
        for width in (60, 80, 120):
            assert width_of(top_line(Scope.FACES, running(), width)) == width

    def test_says_how_the_run_ended(self) -> None:
        ended = RunStatus("r", running().folder, state=events.JobState.FAILED)
        assert text_of(top_line(Scope.FACES, ended, 100)).endswith("✗ run failed")
        assert text_of(top_line(Scope.FACES, None, 100)).endswith("no run")


def running() -> RunStatus:
    from pathlib import Path

    plan = events.Plan(25, 10, 4, 63, 10, 630, 2500)
    state = events.JobState.RUNNING
    return RunStatus("r", Path(), state=state, plan=plan, step=175, epoch=3, remaining_seconds=84)


def columns_of(line: list[tuple[str, Ink]], ink: Ink) -> list[int]:
    at, found = 0, []
    for text, its in line:
        if its is ink:
            found += range(at, at + len(text))
        at += len(text)
    return found
