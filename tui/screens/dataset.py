"""Screen 3: what the model will learn from: the images and their captions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from tui.actions import Scope
from tui.bindings import bindings_for
from tui.screens.base import WorkScreen
from tui.screens.building import build_dataset
from tui.widgets.ink import Ink, Line, content_of, key_line
from tui.widgets.meter import many
from tui.widgets.portrait import Portrait, Subject
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from PIL.Image import Image

    from engine.dataset.folder import TrainingImage

AHEAD = 2


def open_picture(path: Path) -> Image:
    """A picture of ours, for the screen. For threads."""
    import PIL.Image

    with PIL.Image.open(path) as picture:
        return picture.convert("RGB")


def picture_key(path: Path) -> tuple[str, int]:
    """What tells one state of a file from another."""
    try:
        return str(path), path.stat().st_mtime_ns
    except OSError:
        return str(path), 0


def image_line(image: TrainingImage, width: int) -> Line:  # noqa: ARG001
    """An image's row: its number, whether it was enlarged, its caption."""
    grown: tuple[str, Ink] = ("↑", Ink.ATTENTION) if image.upscaled else (" ", Ink.PLAIN)
    words = (image.caption, Ink.PLAIN) if image.caption else ("no caption yet", Ink.ATTENTION)
    return [(f" {image.path.stem:<5}", Ink.MUTED), grown, (" ", Ink.PLAIN), words]


def image_facts(image: TrainingImage) -> list[Line]:
    """What is known about an image, for under its picture."""
    size = f"{image.width:,} × {image.height:,} px"
    if image.source_px is None:
        return [[(size, Ink.PLAIN)], [("added by hand", Ink.MUTED)]]
    cut = f"cut from {image.source_px:,} px"
    origin: Line = [(f"↑ {cut}, enlarged", Ink.ATTENTION)] if image.upscaled else [(cut, Ink.MUTED)]
    return [[(f"{size} · face {image.face_id}", Ink.PLAIN)], origin]


class DatasetScreen(WorkScreen):
    """The training images, one under the cursor, its caption at the bottom."""

    SCOPE = Scope.DATASET
    CSS_PATH = "dataset.tcss"
    BINDINGS = bindings_for(Scope.DATASET)
    QUESTION = "What will it learn from?"
    AUTO_FOCUS = "#images"
    EMPTY = (
        [("Here lie the training images, each with its caption: what differs from picture to", Ink.PLAIN)],
        [("picture is named, and what is always there becomes the person.", Ink.PLAIN)],
        [],
        [("No images have been built yet.", Ink.ATTENTION)],
        [],
        key_line("b", "builds them from the faces that are kept."),
        key_line("2", "goes to Faces, to keep some."),
    )

    def __init__(self) -> None:
        super().__init__()
        self._checks: list[str] = []
        self._images: list[TrainingImage] = []

    def body(self) -> Iterable[Widget]:
        """The list, the picture, the caption."""
        with Horizontal(id="panes"):
            with Vertical(id="list-pane", classes="pane"):
                yield Rows[Any](image_line, id="images")
            with Vertical(id="picture-pane", classes="pane"):
                yield Portrait(id="picture")
                yield Static(id="facts")
        with Horizontal(id="caption-line"):
            yield Static("caption", classes="label")
            yield TextLine(id="caption")

    def shown(self) -> None:
        """Reads the folder anew: other tools may have changed it."""
        project = self.project

        def read() -> tuple[list[TrainingImage], list[str]]:
            from engine.dataset.folder import DatasetFolder

            folder = DatasetFolder(project)
            return folder.images(), folder.checks()

        self.do("read", read, self._take)

    def status(self) -> Line:
        """``24 images · 24 captioned · 1 upscaled · trigger ok``, what is missing set off."""
        line: Line = []
        for check in self._checks:
            wrong = "missing" in check or "not first" in check
            line += [(" · " if line else "", Ink.MUTED), (check, Ink.ATTENTION if wrong else Ink.MUTED)]
        return line

    def focus_list(self) -> None:
        """The images; an edit that was left is taken back."""
        self._show_image()
        self.rows.focus()

    @property
    def rows(self) -> Rows[Any]:
        """The list."""
        return self.query_one("#images", Rows)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without images there is only building them."""
        return action not in ("edit", "view", "captions") or bool(self._images)

    def action_edit(self) -> None:
        """Into the caption."""
        if self.rows.item is not None:
            field = self.query_one("#caption", TextLine)
            field.focus()
            field.cursor_position = len(field.value)

    def action_build(self) -> None:
        """Builds the images from the kept faces."""
        build_dataset(self)

    def action_captions(self) -> None:
        """Writes captions by template where nobody wrote one."""
        project = self.project

        def write() -> int:
            from engine.dataset.captions import caption

            return caption(project)

        def written(count: int) -> None:
            kept = "All captions were there; yours stay as they are."
            self.say(f"Wrote {many(count, 'caption')}." if count else kept)
            self.shown()

        self.do("captions", write, written)

    def action_view(self) -> None:
        """The image alone."""
        from tui.screens.large import LargeScreen

        def step(by: int) -> None:
            self.rows.cursor += by

        def current() -> tuple[Subject | None, Line]:
            image = self.rows.item
            return (_subject(image.path), [(image.caption, Ink.PLAIN)]) if image is not None else (None, [])

        self.app.push_screen(LargeScreen(current, step))

    @on(Rows.Moved, "#images")
    def _moved(self) -> None:
        self._show_image()

    @on(Rows.Chosen, "#images")
    def _chosen(self) -> None:
        self.action_edit()

    @on(TextLine.Submitted, "#caption")
    def _edited(self, event: TextLine.Submitted) -> None:
        image = self.rows.item
        if image is None:
            return
        from engine.dataset.folder import write_caption

        line = self.attempt(lambda: write_caption(image, event.value))
        if line is None:
            return
        at = self.rows.cursor
        self._images[at] = replace(image, caption=line)
        self.rows.show(self._images, at)
        self.focus_list()
        self.say("Saved")
        self.shown()

    def _take(self, read: tuple[list[TrainingImage], list[str]]) -> None:
        images, self._checks = read
        empty_before = not self._images
        if images != self._images:
            self._images = images
            self.rows.show(images)
        self.show_empty(None if images else self.EMPTY)
        if empty_before != (not images):
            self.keys_changed()
            self.rows.focus()
        self.ask()

    def _show_image(self) -> None:
        image = self.rows.item
        portrait, facts = self.query_one("#picture", Portrait), self.query_one("#facts", Static)
        self.query_one("#picture-pane").border_title = image.path.name if image else ""
        self.query_one("#caption", TextLine).value = image.caption if image else ""
        if image is None:
            portrait.show(None)
            facts.update("")
            return
        after = self.rows.items[self.rows.cursor + 1 : self.rows.cursor + 1 + AHEAD]
        portrait.show(_subject(image.path), [_subject(other.path) for other in after])
        facts.update(content_of(*image_facts(image)))


def _subject(path: Path) -> Subject:
    return Subject(picture_key(path), partial(open_picture, path))
