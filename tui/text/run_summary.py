"""A run in words and bars: its figures, how far it is, what happened. No Textual; screen and command share it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine import events
from engine.counting import many
from engine.errors import LimnerError
from engine.events import JobState
from engine.training.runs.curves import Curves
from engine.training.runs.run_status import RunStatus
from tui.text.lines import Ink, Line, cut, giving_way, hanging, spread, width_of
from tui.text.meter import bar, clock

STATES: dict[JobState, Ink] = {
    JobState.DONE: Ink.GOOD,
    JobState.FAILED: Ink.BAD,
    JobState.STOPPING: Ink.ATTENTION,
    JobState.PAUSED: Ink.ATTENTION,
}

MOST_TROUBLE = 4
"""Lines that what went wrong may take."""

LEAST_BAR = 8
"""Cells; what stands behind a bar gives way first."""


def figures(status: RunStatus) -> list[tuple[str, str, Ink]]:
    """The run's figures as name, value with its unit, and ink; the more urgent first."""
    gpu = status.gpu
    rows: list[tuple[str, str, Ink]] = [
        ("state", *state_of(status)),
        ("epoch", f"{status.epoch} of {status.epochs}" if status.epochs else "–", Ink.PLAIN),
        ("step", f"{status.step:,} of {status.steps:,}" if status.steps else "–", Ink.PLAIN),
        ("average", _figure(status.average_loss, "{:.4f}"), Ink.STRONG),
    ]
    if status.sent_to is not None:
        rows[1:1] = [("on", status.sent_to, Ink.STRONG), *_rent(status.folder)]
    if status.validation_loss is not None:
        rows.append(("validation", f"{status.validation_loss:.4f}", Ink.ATTENTION))
    rows.append(("images/s", _figure(status.images_per_s, "{:.1f}"), Ink.PLAIN))
    if gpu is None or gpu.gpu_memory_gb is None or gpu.gpu_total_gb is None:
        rows.append(("memory", _figure(status.memory_gb, "{:.1f} GB"), Ink.PLAIN))
    else:
        rows.append(("memory", f"{gpu.gpu_memory_gb:.1f} of {gpu.gpu_total_gb:.0f} GB", Ink.PLAIN))
    if gpu is not None and (told := _told_by_card(gpu)):
        rows.append(("GPU", told, Ink.PLAIN))
    if gpu is not None and gpu.gpu_watts is not None:
        rows.append(("power", f"{gpu.gpu_watts:,.0f} W", Ink.PLAIN))
    if status.state.ended and status.seconds:
        rows.append(("elapsed", clock(status.seconds), Ink.PLAIN))
    rows.append(("lr", _figure(status.learning_rate, "{:.1e}").replace("e-0", "e-"), Ink.PLAIN))
    rows.append(("loss", _figure(status.loss, "{:.4f}"), Ink.MUTED))
    return rows


def _rent(run: Path) -> list[tuple[str, str, Ink]]:
    """What the machine costs that was rented for a run, until its end is confirmed."""
    from engine.rent.ledger_file import ledger_file

    if not ledger_file().exists():
        return []
    from engine.rent.ledger import rentals_for

    try:
        found = [each for each in rentals_for(run) if not each.over]
    except LimnerError:
        return []
    if not found:
        return []
    last = found[-1]
    spent = sum(each.spent() for each in found)
    return [
        ("rent", f"{spent:.2f} $ so far", Ink.ATTENTION),
        ("per hour", f"{last.price:.2f} $", Ink.PLAIN),
        ("ends by", f"{datetime.fromtimestamp(last.ends):%d %b %H:%M}", Ink.PLAIN),
    ]


def state_of(status: RunStatus) -> tuple[str, Ink]:
    """The state as a word; of a run elsewhere only what its log lets one guess."""
    if status.silent_seconds is not None:
        return "silent", Ink.ATTENTION
    if status.stopped:
        return "stopped", Ink.ATTENTION
    if status.live and status.loading:
        return "loading", Ink.ACTIVE
    return status.state.value, STATES.get(status.state, Ink.ACTIVE)


def how_it_ended(status: RunStatus) -> tuple[str, str]:
    """How a run that lives no more ended, as a mark and as words that follow its name: ``✓``, ``is done``."""
    if status.silent_seconds is not None:
        return "?", "is silent"
    if status.state is JobState.FAILED:
        return "✗", "failed"
    return ("–", "was stopped") if status.stopped else ("✓", "is done")


def figure_lines(status: RunStatus, width: int) -> list[Line]:
    """The figures, one a line, right-aligned with their units."""
    return [spread([(name, Ink.MUTED)], [(value, ink)], width) for name, value, ink in figures(status)]


def bar_lines(status: RunStatus, width: int) -> list[Line]:
    """How far the epoch and the run are, the time that is left and how far that may be off, and the money."""
    each = _seconds(status.epoch_seconds) + _spread(status.epoch_spread_seconds) if status.epoch_seconds else ""
    in_epoch = f"{clock(status.epoch_remaining_seconds)} left"
    in_all = f"{clock(status.remaining_seconds)}{_off(status)} left"
    if not status.live or status.loading:
        in_epoch = in_all = ""
    return [
        _bar_line("epoch", status.epoch_share, in_epoch, each and f"{each} each", width),
        _bar_line("run", status.share, in_all, money(status), width),
    ]


def money(status: RunStatus) -> str:
    """``0.08 of 0.11``: what is spent of what the run will cost; what it cost once it has ended."""
    if not status.cost:
        return ""
    digits = 2 if status.cost >= 0.1 else 3
    if status.spent is None or not status.live:
        return f"cost {status.cost if status.spent is None else status.spent:.{digits}f}"
    return f"cost {status.spent:.{digits}f} of {status.cost:.{digits}f}"


def trouble(status: RunStatus) -> Line:
    """What went wrong, or what the run is preparing; empty while it simply learns."""
    if status.silent_seconds is not None:
        words = f"no word for {_rough(status.silent_seconds)}: it may have ended, judged by its log's age"
        return [("! ", Ink.ATTENTION), (words, Ink.PLAIN)]
    if status.error is not None:
        return [("✗ ", Ink.BAD), (LimnerError(status.error.message, status.error.fix).one_line(), Ink.PLAIN)]
    if status.state is JobState.FAILED:
        return [("✗ ", Ink.BAD), (status.reason or "the run failed", Ink.PLAIN)]
    if status.live and status.loading and status.phase is not None:
        return [("· ", Ink.ATTENTION), (_phase(status.phase), Ink.PLAIN)]
    if status.live and status.loading:
        return [("· ", Ink.ATTENTION), ("preparing", Ink.PLAIN)]
    latest = next(
        (each.event for each in reversed(status.happened) if isinstance(each.event, (events.Warning, events.Fit))), None
    )
    if isinstance(latest, events.Fit):
        return [("! ", Ink.ATTENTION), (f"{latest.changed}: {latest.why}", Ink.PLAIN)]
    if latest is not None:
        return [("! ", Ink.ATTENTION), (latest.message, Ink.PLAIN)]
    if status.reason:
        return [("· ", Ink.MUTED), (status.reason, Ink.MUTED)]
    if status.elsewhere:
        words = f"on {status.host or 'another machine'}; whether it is running is judged by its log's age"
        return [("· ", Ink.MUTED), (words, Ink.MUTED)]
    return []


def trouble_lines(status: RunStatus, width: int) -> list[Line]:
    """The same on as many lines as it takes: what it tells to do stands at its end."""
    said = trouble(status)
    if len(said) < 2:
        return [said]
    (mark, (words, ink)) = said
    return hanging([mark], words, ink, width)[:MOST_TROUBLE]


@dataclass(frozen=True)
class Kept:
    """A checkpoint with what was measured of it."""

    number: int
    path: Path
    step: int
    epoch: int
    validation: float | None
    likeness: float | None

    @property
    def id(self) -> str:
        """What it is known by."""
        return self.path.name


def kept_of(status: RunStatus, curves: Curves) -> list[Kept]:
    """The run's checkpoints, newest first."""
    validations = {each.step: each.value for each in curves.validations}
    likenesses = {each.step: each.value for each in curves.likenesses}
    told = {each.path.rpartition("/")[2]: each for each in status.kept}
    found = []
    for number, path in enumerate(status.checkpoints, start=1):
        event = told.get(path.name)
        step, epoch = (event.step, event.epoch) if event else (0, 0)
        found.append(Kept(number, path, step, epoch, validations.get(step), likenesses.get(step)))
    return found[::-1]


def kept_line(kept: Kept, width: int) -> Line:
    """A checkpoint's row: its number, its name, what was measured, its size; the last gives way first."""
    try:
        size = f"{kept.path.stat().st_size / 1e6:,.1f} MB"
    except OSError:
        size = "gone"
    left: Line = [(f"{kept.number:>3}  ", Ink.MUTED), (kept.path.stem, Ink.PLAIN)]
    told: list[Line] = []
    if kept.validation is not None:
        told.append([("val ", Ink.MUTED), (f"{kept.validation:.4f}  ", Ink.ATTENTION)])
    if kept.likeness is not None:
        told.append([("likeness ", Ink.MUTED), (f"{kept.likeness:.0f}  ", Ink.STRONG)])
    told.append([(f"{size} ", Ink.MUTED)])
    return giving_way(left, told, width)


def happened_lines(happened: Sequence[events.Entry]) -> list[tuple[str, Line]]:
    """What happened, as the time of day and what is told of it, oldest first."""
    found = []
    for entry in happened:
        line = _happening(entry.event)
        if line:
            found.append((time.strftime("%H:%M:%S", time.localtime(entry.t)), line))
    return found


def happened_line(entry: tuple[str, Line], width: int) -> Line:
    """One of them as a row."""
    when, line = entry
    return cut([(f" {when}  ", Ink.MUTED), *line], width)


def _happening(event: events.Event) -> Line:
    match event:
        case events.Job():
            ink = STATES.get(event.state, Ink.PLAIN)
            return [(event.state.value, ink), (f"  {event.reason}" if event.reason else "", Ink.MUTED)]
        case events.Phase():
            return [(_phase(event), Ink.MUTED)]
        case events.Epoch():
            validation = "" if event.validation_loss is None else f"  val {event.validation_loss:.4f}"
            text = f"epoch {event.epoch}  loss {_figure(event.loss, '{:.4f}')}{validation}  {_seconds(event.seconds)}"
            return [(text, Ink.PLAIN)]
        case events.Checkpoint():
            return [("✓ ", Ink.GOOD), (_name(event.path), Ink.PLAIN)]
        case events.Sample():
            told = "" if event.likeness is None else f"  likeness {event.likeness:.0f}"
            which = f"sample of epoch {event.epoch}" if event.epoch else f"sample {_name(event.path)}"
            return [("✓ ", Ink.GOOD), (f"{which}  seed {event.seed}{told}", Ink.MUTED)]
        case events.Fit():
            return [("! fit  ", Ink.ATTENTION), (f"{event.changed}: {event.why}", Ink.PLAIN)]
        case events.Warning():
            return [("! ", Ink.ATTENTION), (event.message, Ink.PLAIN)]
        case events.Error():
            return [("✗ ", Ink.BAD), (LimnerError(event.message, event.fix).one_line(), Ink.PLAIN)]
    return []


def _bar_line(name: str, share: float, left: str, more: str, width: int) -> Line:
    """``epoch ███████─────  41 %   0:07 left   11.7 s ± 0.2 each``; where there is no room the end gives way first."""
    tail: Line = [(f" {share:>4.0%}", Ink.STRONG)]
    for text, cells, ink in ((left, 19, Ink.PLAIN), (more, 18, Ink.MUTED)):
        wanted = max(cells if width >= 70 else 0, len(text) + 2)
        if width - 6 - width_of(tail) - wanted >= LEAST_BAR:
            tail.append((f"{text:>{wanted}}", ink))
    return [(f"{name:<6}", Ink.MUTED), *bar(share, max(4, width - 6 - width_of(tail))), *tail]


def _off(status: RunStatus) -> str:
    off = status.spread_seconds
    return f" ± {clock(off)}" if off is not None and off >= 1 else ""


def _spread(seconds: float | None) -> str:
    return "" if not seconds or seconds < 0.05 else f" ± {seconds:.1f}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else clock(seconds)


def _rough(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 120:
        return many(minutes, "minute")
    return many(minutes // 60, "hour") if minutes < 2880 else many(minutes // 1440, "day")


def _phase(phase: events.Phase) -> str:
    return f"{phase.name} {phase.done:,} of {phase.total:,}" if phase.total else phase.name


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _told_by_card(gpu: events.Step) -> str:
    load = "" if gpu.gpu_percent is None else f"{gpu.gpu_percent:.0f} %"
    heat = "" if gpu.gpu_celsius is None else f"{gpu.gpu_celsius:.0f} °C"
    return "  ".join(each for each in (load, heat) if each)


def _figure(value: float | None, shape: str) -> str:
    return "–" if value is None else shape.format(value)


def over(status: RunStatus) -> bool:
    """Whether nothing more is to come, or seems to be."""
    return status.state.ended or status.silent_seconds is not None


def silence(status: RunStatus) -> str:
    """What is known of a run elsewhere that says nothing any more."""
    where = status.host or "another machine"
    minutes = round((status.silent_seconds or 0.0) / 60)
    return f"no word from {where} for {minutes:,} minutes, so it may have ended (judged only by its log's age)"
