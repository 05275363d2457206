"""What is seen on the Faces screen: the list or the grid, the picture under the cursor, its facts, the meter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from engine.errors import LimnerError
from engine.faces.photo.geometry import Framing
from engine.faces.records.decisions import Face
from tui.app.session_state import Left
from tui.screens.shared.base import WorkScreen
from tui.widgets.face_lines import MARKS, WIDE, face_caption, face_facts, face_line, meter_line
from tui.widgets.filter_line import FilterLine
from tui.widgets.ink import Ink, Line, content_of, end_of, title_of
from tui.widgets.portrait import Portrait, Subject
from tui.widgets.rows import Rows
from tui.widgets.thumbnails.face_pictures import LARGE, SMALL, face_picture, whole_picture
from tui.widgets.thumbnails.grid import Thumbnails
from tui.widgets.thumbnails.tile import Thumbnail

if TYPE_CHECKING:
    from engine.faces.selection.face_table import FaceColumns
    from engine.faces.selection.filter import Selection

LARGE_KEYS = 24
"""Cells for the keys beside what is told of a picture that is seen large."""

FACTS_CELLS = 42
"""From so many cells on all that is known of a face is told in whole words."""

AHEAD = 3
"""How many pictures after the cursor are drawn before they are asked for."""

FacesView = Rows[Face] | Thumbnails[Face]


class FacesPanes(WorkScreen):
    """Shows faces as a list or as thumbnails; what is decided about them is the subclass's."""

    def __init__(self) -> None:
        super().__init__()
        self.columns: FaceColumns | None = None
        self._selection: Selection | None = None
        self.saved: dict[str, str] = {}
        """The filters that were saved, by name."""
        self.filter_error: LimnerError | None = None
        """What is not understood of the filter line; the faces shown are then those of the line before."""
        self._target: dict[Framing, int] = {}
        self._whole = False
        self._left_on: int | None = None

    def body(self) -> Iterable[Widget]:
        """The filter, the list or the grid, the picture with its facts, the meter."""
        with Horizontal(id="filter-line"):
            yield Static("/", classes="slash")
            hint = "px>512 sharp>40 year:2015..2024 -is:duplicate sort:sharp, or part of a name"
            yield FilterLine(lambda: self.saved, placeholder=hint, id="filter")
        with Horizontal(id="panes"):
            with Vertical(id="list-pane", classes="pane"):
                yield Rows[Face](self._line, id="faces")
                yield Thumbnails[Face](self._thumbnail, id="thumbnails")
            with Vertical(id="picture-pane", classes="pane"):
                yield Portrait(id="picture")
                yield Static(id="facts")
        yield Static(id="meter")

    def save_state(self) -> Left:
        """Also whether they were seen as thumbnails."""
        return {
            **super().save_state(),
            "thumbnails": self.in_grid,
            "face": self.rows.item.id if self.rows.item else None,
        }

    def restore_state(self, left: Left) -> None:
        """Takes it up again; the cursor goes to its face once the faces are read."""
        super().restore_state(left)
        if left.get("thumbnails") is True:
            self.add_class("-grid")
            self.focus_list()
        face = left.get("face")
        self._left_on = face if isinstance(face, int) else None

    @property
    def rows(self) -> FacesView:
        """What the cursor moves in: the list, or the grid."""
        return self.query_one("#thumbnails", Thumbnails) if self.in_grid else self.query_one("#faces", Rows)

    @property
    def in_grid(self) -> bool:
        """Whether thumbnails are shown."""
        return self.has_class("-grid")

    def on_resize(self) -> None:
        """What is written under and over the picture has another width."""
        self.call_after_refresh(self._fit_words)

    def focus_list(self) -> None:
        """The faces, at once: the next key may be here already."""
        self.set_focus(self.rows)

    def action_grid(self) -> None:
        """The same faces as thumbnails, or as a list again, the cursor on the same one."""
        before, focused = self.rows, self.focused
        self.toggle_class("-grid")
        self.rows.show(before.items, before.cursor)
        before.show(())
        if focused is before:
            self.focus_list()
        self.keys_changed()

    def action_whole(self) -> None:
        """The whole photo, or the crop again."""
        self._whole = not self._whole
        self.show_picture()

    def action_view(self) -> None:
        """The picture alone."""
        from tui.screens.shared.full_size import LargeScreen

        def step(by: int) -> None:
            self.rows.cursor += by

        def current() -> tuple[Subject | None, Line]:
            face = self.rows.item
            room = max(WIDE, self.app.size.width - LARGE_KEYS)
            return (self.subject(face), face_line(face, room)) if face is not None else (None, [])

        self.app.push_screen(LargeScreen(current, step))

    def action_copy_path(self) -> None:
        """Copies where the photo lies."""
        face = self.rows.item
        if face is not None and face.path is not None:
            self.app.copy_to_clipboard(str(face.path))
            self.say(f"Copied: {face.path}")
        else:
            self.say("There is no file to copy the path of.")

    @on(Rows.Moved, "#faces")
    @on(Thumbnails.Moved, "#thumbnails")
    def _moved(self, message: Rows.Moved | Thumbnails.Moved) -> None:
        if message.control is self.rows:
            self.show_picture()

    @on(Rows.Chosen, "#faces")
    @on(Thumbnails.Chosen, "#thumbnails")
    def _chosen(self) -> None:
        self.action_view()

    def place_of(self, face_id: int) -> int | None:
        """Where a face is among those shown."""
        return self._selection.place(face_id) if self._selection is not None else None

    def show_faces(self, faces: Sequence[Face], cursor: int) -> None:
        """Other faces are selected."""
        self.rows.show(faces, cursor)
        self.show_meter()

    def subject(self, face: Face) -> Subject:
        """The face's picture: the crop, or the whole photo."""
        from engine.faces.framing import cut_of

        cut = cut_of(face)
        key = (face.id, face.path, face.box, cut, self._whole)
        if self._whole:
            return Subject(key, partial(whole_picture, face, cut))
        cache = self.project.cache
        return Subject(key, partial(face_picture, cache, face, cut), partial(face_picture, cache, face, cut, LARGE))

    def show_picture(self) -> None:
        """Shows the face under the cursor."""
        face, rows = self.rows.item, self.rows
        portrait = self.query_one("#picture", Portrait)
        if face is None:
            portrait.show(None, words=[("no face fits the filter", Ink.MUTED)] if self.columns else [])
        elif face.problem:
            portrait.show(None, words=[(face.problem, Ink.ATTENTION)])
        else:
            after = [other for other in rows.items[rows.cursor + 1 : rows.cursor + 1 + AHEAD] if not other.problem]
            portrait.show(self.subject(face), [self.subject(other) for other in after])
        self.show_facts()

    def show_facts(self) -> None:
        """Writes what is known of it."""
        face = self.rows.item
        pane, facts = self.query_one("#picture-pane"), self.query_one("#facts", Static)
        title = ""
        if face is not None:
            date = (face.taken_at or "no date")[:10]
            # What a photo is called stands at the end of its path.
            title = f"{date} {end_of(face.file_name, max(12, pane.size.width - len(date) - 3))}"
        pane.border_title = title_of(title)
        facts.update(content_of(*face_facts(face, self._whole, narrow=pane.size.width < FACTS_CELLS)) if face else "")

    def show_meter(self) -> None:
        """Writes the mix of what is kept."""
        from engine.faces.selection.target_mix import mix_of

        columns = self.columns
        if columns is None:
            return
        kept = [columns.faces[row] for row in columns.states["keep"].nonzero()[0]]
        line = meter_line(mix_of(kept, self._target), max(20, self.size.width - 2))
        self.query_one("#meter", Static).update(content_of(line), layout=False)

    def _fit_words(self) -> None:
        self.show_facts()
        self.show_meter()

    def _heads(self, face: Face) -> str | None:
        heads = self._selection.heads if self._selection else {}
        return heads.get(face.id, "") if heads else None

    def _line(self, face: Face, width: int) -> Line:
        return face_line(face, width, self._heads(face))

    def _thumbnail(self, face: Face) -> Thumbnail:
        from engine.faces.framing import cut_of

        mark, caption = MARKS[face.decision], face_caption(face, self._heads(face))
        if face.problem:
            return Thumbnail(face.id, None, mark, caption, face.problem)
        cut = cut_of(face)
        key = (face.id, face.path, face.box, cut)
        return Thumbnail(key, partial(face_picture, self.project.cache, face, cut, SMALL), mark, caption)
