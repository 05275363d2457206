"""The app in a real terminal, killed while keys are typed: what the screen showed is in the store.

A life of the app: it starts, goes to a screen, gets a burst of keys that each change something else, is read off the
terminal at a random instant, and killed the moment after. What it showed as done must be there: it may have done more.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from engine.dataset.files.layout import DatasetFolder
from engine.faces.records.decisions import Decision, Ledger
from engine.pictures.orders.queue import PictureState, Queue
from engine.project import Project
from tests.chaos.tally import Tally, loss_if_it_fails
from tests.e2e.tmux import Terminal
from tests.support.story import idle_painter, story_project, with_dataset, with_pictures

FACES = 30
WITHIN = 30.0
"""Seconds within which a screen has to come."""

SIZE = {"columns": 120, "rows": 40}
REPOSITORY = Path(__file__).resolve().parents[2]

MARKS = {"✓": Decision.KEEP, "✗": Decision.REJECT, "·": Decision.UNDECIDED}
FACE_ROW = re.compile(r"^│[ ▸]([✓✗·]) \d{4}-\d\d-\d\d ")
WAITING_ROW = re.compile(r"^│[ ▸]○ +seed (\d+) ")
STARS = re.compile(r"([★☆]{5}) · .*?seed (\d+) ", re.DOTALL)
CAPTION = re.compile(r"││ (.*?) *│?$")


def run(folder: Path, chance: Random, until: float) -> Tally:
    """Kills the app until that moment, at least once on each screen."""
    tally = Tally()
    project = with_pictures(with_dataset(story_project(folder / "james", FACES)))
    lives = [faces_life, captions_life, queue_life, ratings_life]
    number = 0
    with idle_painter(project):
        while number < len(lives) or time.monotonic() < until:
            life = lives[number % len(lives)]
            with loss_if_it_fails(tally, f"the app, life {number + 1} ({life.__name__})"):
                life(project, chance, tally)
            number += 1
    with project.store() as store:
        whole = store.rows("PRAGMA integrity_check")[0][0] == "ok"
    tally.expect(whole, "the database is sound", "the project's database is damaged")
    return tally


def faces_life(project: Project, chance: Random, tally: Tally) -> None:
    """Keep and reject down the list, each face once: of two keys for one face the screen may yet show the first."""
    before = decisions(project)
    with app(project, "2", "Which faces are good?", f" of {FACES}") as terminal:
        send(terminal, "g", "g")
        send(terminal, *(key for _ in range(chance.randint(1, FACES - 2)) for key in chance.choice(("y", "x", "cj"))))
        shown = shot(terminal, chance, tally)
    marks = [MARKS[found[1]] for line in shown.splitlines() if (found := FACE_ROW.match(line))]
    after = decisions(project)
    for number, (was, seen, now) in enumerate(zip(before, marks, after, strict=False), start=1):
        confirmed = seen is not was
        tally.expect(
            not confirmed or now is seen,
            "decisions on the screen are in the store" if confirmed else "faces that nothing was shown of",
            f"face {number} was shown as {seen}, the store says {now}",
        )


def captions_life(project: Project, chance: Random, tally: Tally) -> None:
    """Typing into the caption of an image."""
    words = [chance.choice(("red scarf", "outdoors", "by a window", "rain", "smiling")) for _ in range(2)]
    with app(project, "3", "caption ·", "enter edit") as terminal:
        terminal.press_and_see("i")
        terminal.type("".join(f", {word}" for word in words))
        shown = shot(terminal, chance, tally)
    seen = squeezed("".join(CAPTION.findall(line)[0] for line in caption_lines(shown)))
    stored = {squeezed(image.caption) for image in DatasetFolder(project).images()}
    tally.expect(
        # Of one that has grown long its end is in sight.
        bool(seen) and any(seen.rstrip(",") in each for each in stored),
        "captions on the screen are in their files",
        f"the screen showed the caption {seen!r}, the files hold {sorted(stored)}",
    )


def queue_life(project: Project, chance: Random, tally: Tally) -> None:
    """Queueing pictures, then looking at the queue."""
    with app(project, "5", "of 75 tokens", "enter paint") as terminal:
        send(terminal, *["Enter"] * chance.randint(1, 4))
        terminal.wait_for("queued", within=WITHIN)
        send(terminal, "6")
        terminal.wait_for("Painted pictures", "○ ", within=WITHIN)
        shown = shot(terminal, chance, tally)
    seen = {int(row[1]) for line in shown.splitlines() if (row := WAITING_ROW.match(line))}
    with project.store() as store:
        waiting = {each.seed for each in Queue(store).pictures() if each.state is PictureState.QUEUED}
    for seed in seen:
        tally.expect(seed in waiting, "pictures shown as queued are queued", f"the queued picture {seed} is gone")
    tally.expect(bool(seen), "queues that were read off the screen", f"no queue was seen:\n{shown}")


def ratings_life(project: Project, chance: Random, tally: Tally) -> None:
    """Stars for the painted pictures, more or fewer."""
    key, step = chance.choice((("+", 1), ("-", -1)))
    with app(project, "6", "Painted pictures", "+ star") as terminal:
        send(terminal, "G", *["h"] * chance.randint(0, 3), *[key] * chance.randint(1, 5))
        shown = shot(terminal, chance, tally)
    after = stars(project)
    for told, seed in STARS.findall(shown):
        seen, now = told.count("★"), after[int(seed)]
        tally.expect(
            (now - seen) * step >= 0,
            "stars on the screen are in the store",
            f"the picture of seed {seed} was shown with {seen} stars, the store says {now}",
        )


@contextmanager
def app(project: Project, screen: str, *texts: str) -> Iterator[Terminal]:
    """The app on a screen. Whatever is left of it ends with the terminal."""
    command = [sys.executable, "-m", "tui.cli", "-C", str(project.root)]
    home = {name: value for name, value in os.environ.items() if name == "HOME" or name.startswith("XDG_")}
    with Terminal(command, cwd=REPOSITORY, environment=home, **SIZE) as terminal:
        terminal.wait_for("6 Pictures", within=WITHIN)
        send(terminal, screen)
        terminal.wait_for(*texts, within=WITHIN)
        yield terminal


def send(terminal: Terminal, *keys: str) -> None:
    """All keys in one go, as fast as a terminal can pass them on."""
    terminal.press_together(*keys)


def shot(terminal: Terminal, chance: Random, tally: Tally) -> str:
    """Reads the screen at a random instant, then kills the app at once."""
    time.sleep(chance.uniform(0.0, 0.5))
    shown = terminal.screen()
    os.kill(terminal.program(), signal.SIGKILL)
    tally.kills["the app"] += 1
    return shown


def caption_lines(shown: str) -> list[str]:
    """The lines of the caption's field, at the right of the screen."""
    lines = shown.splitlines()
    titles = [number for number, line in enumerate(lines) if "caption ·" in line]
    assert titles, f"no caption is to be seen:\n{shown}"
    first = titles[0] + 1
    return [line for line in lines[first:] if "││" in line]


def squeezed(text: str) -> str:
    """Without spaces, at which the screen breaks lines, and without what a scrollbar is drawn with."""
    return "".join(re.sub("[\u2581-\u2588]", " ", text).split())


def decisions(project: Project) -> list[Decision]:
    with project.store() as store:
        return [face.decision for face in Ledger(store).faces()]


def stars(project: Project) -> dict[int, int]:
    with project.store() as store:
        return {each.seed: each.rating for each in Queue(store).pictures()}
