"""Screen 6: what was painted, newest first, and what waits."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from engine.pictures.queue import MOST_STARS, Picture, PictureOrder, PictureState, Queue
from tui.actions import Scope
from tui.bindings import bindings_for
from tui.screens.base import WorkScreen
from tui.screens.dataset_lines import open_picture, picture_key
from tui.widgets.ink import Ink, Line, content_of, key_line, title_of
from tui.widgets.meter import clock, many
from tui.widgets.portrait import Portrait, Subject
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from engine.pictures.parameters import Parameters
    from engine.project import Project
    from tui.screens.prompts import PromptsScreen

POLL_SECONDS = 0.7
"""How often the queue is looked at while the screen is shown."""

AHEAD = 2

MARKS: dict[PictureState, tuple[str, Ink]] = {
    PictureState.QUEUED: ("○", Ink.MUTED),
    PictureState.PAINTING: ("●", Ink.ATTENTION),
    PictureState.DONE: ("✓", Ink.GOOD),
    PictureState.FAILED: ("✗", Ink.BAD),
    PictureState.CANCELLED: ("–", Ink.FAINT),
}

WAITING = (PictureState.QUEUED, PictureState.PAINTING)


def stars_of(picture: Picture) -> str:
    """``★★★☆☆``."""
    return "★" * picture.rating + "☆" * (MOST_STARS - picture.rating)


def picture_line(picture: Picture, width: int) -> Line:
    """A picture's row: its state by shape and colour, seed, stars, checkpoint and strength, the prompt."""
    mark, ink = MARKS[picture.state]
    settled = Ink.PLAIN if picture.state is PictureState.DONE else Ink.MUTED
    lora = picture.lora.stem if picture.lora else "base"
    strength = f"{picture.strength:>5.2f}" if picture.strength is not None else "     "
    room = 14 if width > 50 else 12
    wide: Line = [(f" {picture.prompt}", Ink.MUTED)] if width > 50 else []
    return [
        (f"{mark} ", ink),
        (f"{picture.seed:>10}", settled),
        (f" {stars_of(picture) if picture.rating else '':<{MOST_STARS}}", Ink.ATTENTION),
        (f" {lora[-room:]:<{room}}", settled),
        (f"{strength} ", settled),
        *wide,
    ]


def picture_facts(picture: Picture, told: Parameters | None = None) -> list[Line]:
    """What made the picture, for under it: as the queue knows it, and as the PNG itself tells."""
    mark, ink = MARKS[picture.state]
    lora = f"{picture.lora.stem} at {picture.strength:.2f}" if picture.lora and picture.strength is not None else "base"
    took = f" in {picture.seconds:.1f} s" if picture.seconds else ""
    model = told.model if told is not None and told.model else picture.sampler.value
    lines: list[Line] = [
        [(f"{mark} ", ink), (f"{picture.state.value}{took}", ink)],
        [(f"seed {picture.seed} · {lora}", Ink.PLAIN)],
        [(f"{picture.steps} steps · cfg {picture.guidance:g} · {model}", Ink.MUTED)],
    ]
    if picture.state is PictureState.DONE:
        lines[0].append((f" · {stars_of(picture)}", Ink.ATTENTION if picture.rating else Ink.MUTED))
    if picture.reason:
        lines[1:] = [[(picture.reason, Ink.BAD)]]
    return lines


class PicturesScreen(WorkScreen):
    """The painter's queue and what came of it."""

    SCOPE = Scope.PICTURES
    CSS_PATH = "pictures.tcss"
    BINDINGS = bindings_for(Scope.PICTURES)
    QUESTION = "What was painted?"
    AUTO_FOCUS = "#pictures"
    EMPTY = (
        [("Here are the portraits, newest first, each with all that made it.", Ink.PLAIN)],
        [],
        [("Nothing has been painted yet.", Ink.ATTENTION)],
        [],
        key_line("5", "goes to Prompts; there, enter paints."),
    )

    def __init__(self) -> None:
        super().__init__()
        self._pictures: list[Picture] = []
        self._timer: Timer | None = None
        self._told: dict[int, Parameters | None] = {}
        self._wakes = 0

    def body(self) -> Iterable[Widget]:
        """The list, the picture under the cursor, its prompt."""
        with Horizontal(id="panes"):
            with Vertical(id="list-pane", classes="pane"):
                yield Rows[Picture](picture_line, id="pictures")
            with Vertical(id="picture-pane", classes="pane"):
                yield Portrait(id="picture")
                yield Static(id="facts")
        yield Static(id="prompt-line")

    def shown(self) -> None:
        """Looks at the queue, now and while the screen is shown."""
        if self._timer is None:
            self._timer = self.set_interval(POLL_SECONDS, self._read)
        self._timer.resume()
        self._read()

    def on_screen_suspend(self) -> None:
        """Nobody looks."""
        if self._timer is not None:
            self._timer.pause()

    def status(self) -> Line:
        """``12 pictures · 3 waiting · about 0:15 left``."""
        states = Counter(picture.state for picture in self._pictures)
        waiting = sum(states[state] for state in WAITING)
        line: Line = [(many(states[PictureState.DONE], "picture"), Ink.MUTED)]
        if waiting:
            line.append((f" · {waiting} waiting", Ink.ATTENTION))
            paces = [picture.seconds for picture in self._pictures if picture.seconds][:8]
            if paces:
                line.append((f" · about {clock(waiting * sum(paces) / len(paces))} left", Ink.MUTED))
        if states[PictureState.FAILED]:
            line.append((f" · {states[PictureState.FAILED]} failed", Ink.BAD))
        return line

    def focus_list(self) -> None:
        """The pictures."""
        self.rows.focus()

    @property
    def rows(self) -> Rows[Picture]:
        """The list."""
        return self.query_one("#pictures", Rows)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what waits can be cancelled, only what is painted rated."""
        if action in ("view", "another", "prompt"):
            return bool(self._pictures)
        if action == "cancel":
            return any(picture.state is PictureState.QUEUED for picture in self._pictures)
        if action in ("more_stars", "fewer_stars"):
            return any(picture.state is PictureState.DONE for picture in self._pictures)
        return True

    def action_view(self) -> None:
        """The picture alone."""
        from tui.screens.large import LargeScreen

        def step(by: int) -> None:
            self.rows.cursor += by

        def current() -> tuple[Subject | None, Line]:
            picture = self.rows.item
            if picture is None:
                return None, []
            return _subject(picture), [*picture_line(picture, 0), (f" {picture.prompt}", Ink.MUTED)]

        self.app.push_screen(LargeScreen(current, step))

    def action_another(self) -> None:
        """Orders the same with another seed."""
        picture = self.rows.item
        if picture is None:
            return
        project = self.project

        def order() -> None:
            from engine.pictures.orders import SEEDS, new_picture_path
            from engine.pictures.start import order_pictures

            seed = secrets.randbelow(SEEDS)
            fields = {name: getattr(picture, name) for name in PictureOrder.__dataclass_fields__}
            order_pictures(project, [PictureOrder(**{**fields, "seed": seed, "path": new_picture_path(project, seed)})])

        def ordered(_: None) -> None:
            self.say("Queued with another seed.")
            self._read()

        self.do("order", order, ordered)

    def action_cancel(self) -> None:
        """Takes the picture under the cursor off the queue."""
        picture = self.rows.item
        if picture is None or picture.state is not PictureState.QUEUED:
            self.say("Only a picture that waits can be taken off the queue.")
            return
        project = self.project

        def cancel() -> None:
            with project.store() as store:
                Queue(store).cancel(picture.id)

        self.do("cancel", cancel, lambda _: self._read())

    def action_more_stars(self) -> None:
        """One star more."""
        self._rate(1)

    def action_fewer_stars(self) -> None:
        """One star fewer; with none it is not rated."""
        self._rate(-1)

    def action_prompt(self) -> None:
        """Takes the prompt to the Prompts screen."""
        picture = self.rows.item
        if picture is None:
            return

        async def go() -> None:
            await self.app.switch_mode(Scope.PROMPTS.value)
            prompts: PromptsScreen = self.app.screen  # type: ignore[assignment]
            prompts.edit(picture.prompt, picture.negative)

        self.app.call_later(go)

    @on(Rows.Moved, "#pictures")
    def _moved(self) -> None:
        self._show_picture()

    @on(Rows.Chosen, "#pictures")
    def _chosen(self) -> None:
        self.action_view()

    def _rate(self, by: int) -> None:
        at, picture = self.rows.cursor, self.rows.item
        if picture is None or picture.state is not PictureState.DONE:
            self.say("Only a painted picture can be given stars.")
            return

        def rate() -> Picture:
            with self.project.store() as store:
                queue = Queue(store)
                # Counted from what is saved: the row may be a moment old.
                return queue.rate(picture.id, min(MOST_STARS, max(0, queue.picture(picture.id).rating + by)))

        rated = self.attempt(rate)
        if rated is not None:
            self._pictures[at] = rated
            self.rows.redraw(at)
            self._show_facts(rated)
            # A look at the queue that began before would bring the old stars back.
            self._read()

    def _read(self) -> None:
        project = self.project

        def read() -> list[Picture]:
            with project.store() as store:
                pictures = Queue(store).pictures()
            if any(picture.state in WAITING for picture in pictures):
                self._see_that_it_paints(project)
            return pictures

        self.do("read", read, self._take)

    def _see_that_it_paints(self, project: Project) -> None:
        """In a thread: pictures wait, so somebody must paint; one that died is woken again, a few times."""
        from engine.pictures.start import MOST_WAKES, painter_folder, wake_painter

        if self._wakes < MOST_WAKES and not painter_folder(project).alive():
            self._wakes += 1
            wake_painter(project)

    def _take(self, pictures: list[Picture]) -> None:
        if pictures == self._pictures and pictures:
            return
        before = self.rows.item
        newest_before = self._pictures[0].id if self._pictures else None
        self._pictures = pictures
        self.show_empty(None if pictures else self.EMPTY)
        # Whoever looks at the newest goes on looking at the newest; another picture stays under the cursor.
        follow = before is None or before.id == newest_before
        ids = [picture.id for picture in pictures]
        cursor = 0 if follow or before is None or before.id not in ids else ids.index(before.id)
        self.rows.show(pictures, cursor)
        self.rows.focus()
        self.keys_changed()
        self.ask()

    def _show_picture(self) -> None:
        picture = self.rows.item
        portrait, facts = self.query_one("#picture", Portrait), self.query_one("#facts", Static)
        prompt, pane = self.query_one("#prompt-line", Static), self.query_one("#picture-pane")
        if picture is None:
            portrait.show(None)
            facts.update("")
            prompt.update("")
            return
        pane.border_title = title_of(picture.path.name)
        self._show_facts(picture)
        without: Line = [("  without ", Ink.MUTED), (picture.negative, Ink.MUTED)] if picture.negative else []
        prompt.update(content_of([(picture.prompt, Ink.PLAIN), *without]))
        if picture.state is not PictureState.DONE:
            mark, ink = MARKS[picture.state]
            portrait.show(None, words=[(f"{mark} {picture.state.value}", ink)])
            return
        if picture.id not in self._told:
            self._ask_the_file(picture)
        after = self.rows.items[self.rows.cursor + 1 : self.rows.cursor + 1 + AHEAD]
        portrait.show(_subject(picture), [subject for other in after if (subject := _subject(other)) is not None])

    def _show_facts(self, picture: Picture) -> None:
        told = self._told.get(picture.id)
        self.query_one("#facts", Static).update(content_of(*picture_facts(picture, told)))

    def _ask_the_file(self, picture: Picture) -> None:
        """Reads what the PNG says about itself."""

        def read() -> Parameters | None:
            from engine.pictures.parameters import read_parameters

            return read_parameters(picture.path)

        def told(parameters: Parameters | None) -> None:
            self._told[picture.id] = parameters
            shown = self.rows.item
            if shown is not None and shown.id == picture.id:
                self._show_facts(shown)

        # A file that was moved away is told by the empty frame; there is nothing more to say.
        self.do("parameters", read, told, lambda _: None)


def _subject(picture: Picture) -> Subject | None:
    if picture.state is not PictureState.DONE:
        return None
    return Subject(picture_key(picture.path), partial(open_picture, picture.path))
