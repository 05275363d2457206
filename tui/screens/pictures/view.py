"""What is seen on the Pictures screen: the filter, the queue, the thumbnails, the picture under the cursor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from engine.counting import many
from engine.errors import LimnerError
from engine.pictures.gallery.rows import Shown
from engine.pictures.orders.picture import Picture, PictureState
from tui.app.session_state import Left
from tui.screens.pictures.text import (
    MARKS,
    mark_of,
    picture_facts,
    picture_line,
    queue_line,
    tile_caption,
    without_folders,
)
from tui.screens.shared.base import WorkScreen
from tui.text.meter import clock
from tui.widgets.filter_line import FilterLine
from tui.widgets.ink import Ink, Line, content_of, key_line, title_of
from tui.widgets.portrait import Portrait, Subject
from tui.widgets.rows import Rows
from tui.widgets.thumbnails.cache import ThumbnailCache, stamp_of
from tui.widgets.thumbnails.grid import Thumbnails
from tui.widgets.thumbnails.tile import Thumbnail

if TYPE_CHECKING:
    from PIL.Image import Image

    from engine import events
    from engine.pictures.orders.png_parameters import Parameters

AHEAD = 2
"""How many pictures after the cursor are drawn before they are asked for."""

SMALL, LARGE = 96, 1280
"""Pixels of a thumbnail's longer side, and of a picture for terminals that draw pictures themselves."""

MOST_QUEUE_ROWS = {True: 6, False: 3}
"""Rows of the queue in a wide terminal, and in a narrow one."""

HINTS = 6
"""How many completions of the word being typed are shown."""

EXAMPLE = "rating:>=4 lora:jx265-000008 -is:favourite sort:likeness oil"


@dataclass(frozen=True)
class Forming:
    """How far the pictures are that are being painted."""

    phase: events.Phase | None = None
    stamps: dict[int, int] = field(default_factory=dict)
    """By number: when what is seen of it was written last."""


class PicturesPanes(WorkScreen):
    """Shows pictures; what is done with them is the subclass's."""

    AUTO_FOCUS = "#pictures"
    COMES_BACK = ("#filter",)
    EMPTY = (
        [("The pictures, newest first, each with its generation parameters.", Ink.PLAIN)],
        [],
        [("Nothing has been painted yet.", Ink.ATTENTION)],
        [],
        key_line("{app.prompts}", "goes to Prompts; there, {prompts.paint} paints."),
        [],
        [("Pictures from other programs are also shown, if you put them into pictures/", Ink.MUTED)],
    )

    def __init__(self) -> None:
        super().__init__()
        self._all: list[Shown] = []
        self.was_read = False
        self._waiting: list[Picture] = []
        self._total = self._found = 0
        self._checkpoints: list[str] = []
        self._marked: set[int] = set()
        self._forming = Forming()
        self._told: dict[int, Parameters | None] = {}
        self._hints: list[str] = []
        self._filter_error: LimnerError | None = None
        self._left_on: int | None = None
        self._state_shown = ""

    def body(self) -> Iterable[Widget]:
        """The filter, the queue over the thumbnails, the picture with its facts, its prompt."""
        with Horizontal(id="filter-line"):
            yield Static("/", classes="slash")
            yield FilterLine(complete=self._complete, placeholder=EXAMPLE, id="filter")
        with Horizontal(id="panes"):
            with Vertical(id="list-pane", classes="pane"):
                yield Rows[Picture](self._queue_line, id="queue")
                yield Thumbnails[Shown](self._thumbnail, id="pictures")
            with Vertical(id="picture-pane", classes="pane"):
                yield Portrait(id="picture")
                yield Static(id="facts")
        yield Static(id="prompt-line")

    @property
    def pictures(self) -> list[Shown]:
        """All of them, newest first, whatever the filter shows."""
        return self._all

    @property
    def marked(self) -> bool:
        """Whether keys act on pictures that are marked."""
        return bool(self._marked)

    def targets(self) -> list[Shown]:
        """What a key acts on: all that is marked, else the picture under the cursor."""
        if self._marked:
            return [picture for picture in self._all if picture.id in self._marked]
        return [self.grid.item] if self.grid.item is not None else []

    @property
    def grid(self) -> Thumbnails[Shown]:
        """The thumbnails."""
        return self.query_one("#pictures", Thumbnails)

    @property
    def queue(self) -> Rows[Picture]:
        """What is being painted, and what waits."""
        return self.query_one("#queue", Rows)

    @property
    def in_queue(self) -> bool:
        """Whether keys act on the queue."""
        return self.queue.has_focus

    def focus_list(self) -> None:
        """The thumbnails, at once: the next key may be here already."""
        self.set_focus(self.grid)

    def save_state(self) -> Left:
        """Also which picture was looked at, and whether it was seen beside the thumbnails."""
        at = self.grid.item.id if self.grid.item is not None else self._left_on
        return {**super().save_state(), "picture": at, "folded": self.has_class("-folded")}

    def restore_state(self, left: Left) -> None:
        """Takes both up again."""
        super().restore_state(left)
        at = left.get("picture")
        self._left_on = at if isinstance(at, int) else None
        self.set_class(left.get("folded") is True, "-folded")

    def status(self) -> Line:
        """``214 of 1,098 · 3 queued · about 0:15 left``, or what is wrong with the filter."""
        if self._filter_error is not None:
            return [(self._filter_error.one_line(), Ink.ATTENTION)]
        hints = "  ".join(self._hints[:HINTS])
        line: Line = [(f"{hints}   " if hints else "", Ink.MUTED)]
        if self._marked:
            line.append((f"{len(self._marked)} marked · ", Ink.ACTIVE))
        total = self._total
        some = self._found != total
        line.append((f"{self._found:,} of {total:,}" if some else many(total, "picture"), Ink.MUTED))
        if self._waiting:
            line.append((f" · {len(self._waiting)} queued", Ink.ATTENTION))
            paces = [picture.seconds for picture in self._all[:20] if picture.seconds]
            if paces:
                line.append((f" · about {clock(len(self._waiting) * sum(paces) / len(paces))} left", Ink.MUTED))
        return line

    def subject(self, picture: Shown) -> Subject | None:
        """The picture, or what is seen of it while it forms; None where there is nothing to see."""
        if picture.state == PictureState.PAINTING:
            stamp = self._forming.stamps.get(picture.id)
            path = self._preview(picture.id)
            return Subject((picture.id, stamp), partial(open_whole, path)) if stamp else None
        if not picture.painted:
            return None
        load_large = partial(small_picture, self.project.cache, picture.file, LARGE)
        return Subject((picture.id, picture.path), partial(open_whole, picture.file), load_large)

    def know(self, pictures: list[Shown]) -> None:
        """Takes all pictures in, and what is counted over them."""
        self._all, self.was_read = pictures, True
        self._total = sum(picture.painted for picture in pictures)
        files = {picture.lora: picture for picture in pictures}
        self._checkpoints = sorted({picture.lora_name for picture in files.values()} - {""})

    def show_queue(self, waiting: list[Picture]) -> None:
        """Shows what waits; nothing waits, nothing is shown."""
        before = self.queue.item
        self._waiting = waiting
        ids = [picture.id for picture in waiting]
        self.queue.show(waiting, ids.index(before.id) if before is not None and before.id in ids else None)
        self._fit_queue()
        if not waiting and self.queue.has_focus:
            self.focus_list()

    def on_resize(self) -> None:
        """There is more or less room for the queue."""
        self._fit_queue()

    def show_picture(self) -> None:
        """Shows the picture under the cursor: that of the queue while the keys act there."""
        waiting = self.queue.item if self.in_queue else None
        picture = as_shown(waiting) if waiting is not None else self.grid.item
        portrait, pane = self.query_one("#picture", Portrait), self.query_one("#picture-pane")
        if picture is None:
            words = "no picture fits the filter" if self._all else ""
            portrait.show(None, words=[(words, Ink.MUTED)] if words else None)
            pane.border_title = ""
            self.query_one("#facts", Static).update("")
            self.query_one("#prompt-line", Static).update("")
            return
        pane.border_title = title_of(picture.name if picture.painted else picture.state)
        self.show_facts(picture)
        subject = self.subject(picture)
        if subject is None:
            mark, ink = MARKS[picture.state]
            portrait.show(None, words=[(f"{mark} {picture.state}", ink)])
            return
        after = self.grid.items[self.grid.cursor + 1 : self.grid.cursor + 1 + AHEAD]
        ahead = [self.subject(other) for other in after if other.painted and not other.gone]
        portrait.show(subject, [other for other in ahead if other is not None])

    def show_facts(self, picture: Shown) -> None:
        """Writes what is known of it, and its prompt."""
        if picture.painted and picture.id not in self._told:
            self._ask_the_file(picture)
        facts = self.query_one("#facts", Static)
        facts.set_class(bool(picture.reason), "-reason")
        facts.update(content_of(*picture_facts(picture, self._told.get(picture.id))))
        without: Line = [("  without ", Ink.MUTED), (picture.negative, Ink.MUTED)] if picture.negative else []
        prompt = (picture.prompt, Ink.PLAIN) if picture.prompt else ("no prompt in the file", Ink.MUTED)
        self.query_one("#prompt-line", Static).update(content_of([prompt, *without]))

    def action_fold(self) -> None:
        """The thumbnails alone, or the picture beside them."""
        self.toggle_class("-folded")

    def action_view(self) -> None:
        """The picture alone; the keys of the thumbnails still move on."""
        from tui.screens.shared.full_size import LargeScreen

        def step(by: int) -> None:
            self.grid.cursor += by

        def current() -> tuple[Subject | None, Line]:
            picture = self.grid.item
            return (self.subject(picture), picture_line(picture)) if picture is not None else (None, [])

        if self.grid.item is not None:
            self.app.push_screen(LargeScreen(current, step))

    @on(Thumbnails.Moved, "#pictures")
    @on(Rows.Moved, "#queue")
    def _moved(self, message: Thumbnails.Moved | Rows.Moved) -> None:
        if (message.control is self.queue) == self.in_queue:
            self.show_picture()
            state = getattr(message.item, "state", "")
            if state != self._state_shown:
                # What can be done with what is painted, what waits and what failed differs.
                self._state_shown = state
                self.keys_changed()

    @on(Thumbnails.Chosen, "#pictures")
    def _chosen(self) -> None:
        self.action_view()

    def on_descendant_focus(self) -> None:
        """The keys act on something else now, and its picture is shown."""
        self.show_picture()
        self.keys_changed()

    def _fit_queue(self) -> None:
        rows = min(len(self._waiting), MOST_QUEUE_ROWS[self._breadth == "wide"])
        self.queue.display = rows > 0
        self.queue.styles.height = rows

    def _preview(self, number: int) -> Path:
        from engine.pictures.orders.start import preview_path

        return preview_path(self.project, number)

    def _complete(self, line: str) -> list[str]:
        from engine.pictures.gallery.filter import picture_completions

        return picture_completions(line, self._checkpoints)

    def _queue_line(self, picture: Picture, width: int) -> Line:
        return queue_line(picture, width, self._forming.phase)

    def _thumbnail(self, picture: Shown) -> Thumbnail:
        mark, caption = mark_of(picture), tile_caption(picture, picture.id in self._marked, self._forming.phase)
        if picture.state == PictureState.PAINTING:
            stamp = self._forming.stamps.get(picture.id)
            load = partial(open_whole, self._preview(picture.id)) if stamp else None
            return Thumbnail((picture.id, stamp), load, mark, caption, "forming …")
        if picture.gone or not picture.painted:
            return Thumbnail(picture.id, None, mark, caption, without_folders(picture.reason or "its file is gone"))
        return Thumbnail(picture.id, partial(small_picture, self.project.cache, picture.file, SMALL), mark, caption)

    def _ask_the_file(self, picture: Shown) -> None:
        """Reads what the file says about itself."""

        def read() -> Parameters | None:
            from engine.pictures.gallery.import_external import what_it_tells

            told = what_it_tells(picture.file)
            return told.parameters if told is not None else None

        def told(parameters: Parameters | None) -> None:
            self._told[picture.id] = parameters
            shown = self.grid.item
            if shown is not None and shown.id == picture.id and not self.in_queue:
                self.show_facts(shown)

        self.run_latest("parameters", read, told)


def open_whole(path: Path) -> Image:
    """A picture whatever its kind, upright. For threads.

    Raises:
        FaceError: missing, truncated, or no picture.
    """
    from engine.faces.photo.loading import open_upright

    return open_upright(path)


def small_picture(cache: Path, path: Path, side: int) -> Image:
    """A picture of at most ``side`` pixels, from the project's cache where it is there. For threads.

    Raises:
        FaceError: missing, truncated, or no picture.
    """

    def make() -> Image:
        from engine.faces.photo.loading import open_upright

        picture = open_upright(path, at_least=side)
        picture.thumbnail((side, side))
        return picture

    return ThumbnailCache(cache).picture(f"{path}|{stamp_of(path)}|{side}", make)


def as_shown(picture: Picture) -> Shown:
    """A picture of the queue as the gallery would show it."""
    return Shown(
        id=picture.id,
        t=picture.t,
        state=picture.state.value,
        prompt=picture.prompt,
        negative=picture.negative,
        lora=str(picture.lora) if picture.lora else None,
        strength=picture.strength,
        seed=picture.seed,
        steps=picture.steps,
        guidance=picture.guidance,
        sampler=picture.sampler.value,
        width=picture.width,
        height=picture.height,
        path=str(picture.path),
        seconds=picture.seconds,
        reason=picture.reason,
        rating=picture.rating,
        favourite=0,
        rejected=0,
        likeness=None,
        outside=0,
        gone=0,
    )
