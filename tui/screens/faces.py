"""Screen 2: which faces are good. One key a face, saved before the next key is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from engine.errors import LimnerError
from engine.faces.geometry import Framing
from engine.faces.ledger import Decision, Face, Ledger
from engine.store import Store
from tui.actions import Scope, actions_of
from tui.bindings import bindings_for
from tui.face_pictures import face_picture
from tui.screens.base import WorkScreen
from tui.widgets.ink import Ink, Line, content_of, key_line
from tui.widgets.meter import many
from tui.widgets.portrait import Portrait, Subject
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine

PICK_COUNT = 24
"""How many faces the automatic pick chooses."""

AHEAD = 3
"""How many pictures after the cursor are drawn before they are asked for."""

MARKS: dict[Decision, tuple[str, Ink]] = {
    Decision.KEEP: ("✓", Ink.GOOD),
    Decision.REJECT: ("✗", Ink.BAD),
    Decision.UNDECIDED: ("·", Ink.FAINT),
}

WIDE = 50
"""From how many cells a row names the file's folder, too."""

FRAMINGS = (Framing.CLOSE, Framing.BOX, Framing.HALF, Framing.FULL)


def face_line(face: Face, width: int) -> Line:
    """A face's row: the decision by shape and colour, the date, its real pixels, what is doubtful, the file."""
    mark, ink = MARKS[face.decision]
    settled = Ink.MUTED if face.decision is Decision.REJECT else Ink.PLAIN
    date = face.taken_at[:10] if face.taken_at else "no date"
    if face.problem:
        return [
            (f"{mark} ", ink),
            (f"{date:<10} ", Ink.MUTED),
            ("!", Ink.ATTENTION),
            (f" {face.problem}", Ink.ATTENTION),
        ]
    pixels = f"{face.face_px:>6,} px" if face.face_px else " " * 9
    flag: tuple[str, Ink] = ("≈", Ink.ATTENTION) if face.warning else (" ", Ink.PLAIN)
    sure = "sure" if face.confirmed else "match"
    file_name = face.file_name if width >= WIDE else face.file_name.rpartition("/")[2]
    return [
        (f"{mark} ", ink),
        (f"{date:<10}", settled),
        (f"{pixels} ", settled),
        (f"{sure:<5} ", Ink.MUTED),
        flag,
        (f" {file_name}", Ink.MUTED),
    ]


def face_facts(face: Face, framing: Framing) -> list[Line]:
    """What is known about a face, for under its picture."""
    from engine.faces.crop import crop_of

    crop = crop_of(face, framing)
    side = f" · shows {crop.side:,} px" if crop else ""
    mark, ink = MARKS[face.decision]
    sure = "confirmed by a person" if face.confirmed else "matched by the machine"
    told: Line = [(sure, Ink.PLAIN)]
    if face.problem:
        told = [("! ", Ink.ATTENTION), (face.problem, Ink.ATTENTION)]
    elif face.warning:
        told = [("≈ ", Ink.ATTENTION), (face.warning, Ink.ATTENTION)]
    word = (face.decision.value, Ink.MUTED if face.decision is Decision.UNDECIDED else ink)
    return [
        [(f"{mark} ", ink), word, (f"  face {face.id}", Ink.MUTED)],
        [(f"{face.face_px:,} px{side} · {framing.value}", Ink.PLAIN)] if face.face_px else [],
        told,
    ]


class FacesScreen(WorkScreen):
    """The faces of the person, filtered, decided on one by one."""

    SCOPE = Scope.FACES
    CSS_PATH = "faces.tcss"
    BINDINGS = bindings_for(Scope.FACES)
    QUESTION = "Which faces are good?"
    AUTO_FOCUS = "#faces"
    EMPTY = (
        [("Here you say which faces are good enough to learn from: some twenty do.", Ink.PLAIN)],
        [],
        [("No faces have been scanned yet.", Ink.ATTENTION)],
        [],
        key_line("1", "goes to Connect; there, enter scans the person under the cursor."),
    )

    def __init__(self) -> None:
        super().__init__()
        self._store: Store | None = None
        self._all: list[Face] = []
        self._where: dict[int, int] = {}
        self._framing = Framing.CLOSE
        self._filter_error: LimnerError | None = None
        self._loaded = False

    def body(self) -> Iterable[Widget]:
        """The filter, the list, the picture with its facts."""
        with Horizontal(id="filter-line"):
            yield Static("/", classes="slash")
            yield TextLine(placeholder="px>256 year:2015..2024 -is:reject sort:px, or part of a name", id="filter")
        with Horizontal(id="panes"):
            with Vertical(id="list-pane", classes="pane"):
                yield Rows[Face](face_line, id="faces")
            with Vertical(id="picture-pane", classes="pane"):
                yield Portrait(id="picture")
                yield Static(id="facts")

    def shown(self) -> None:
        """Reads the faces anew: a scan or a command may have changed them."""
        project = self.project

        def read() -> list[Face]:
            uid = project.settings.person.uid
            with project.store() as store:
                return Ledger(store).faces(uid)

        self.do("read", read, self._take)

    def status(self) -> Line:
        """``214 of 1,098 · 18 kept``, or what is wrong with the filter."""
        if self._filter_error is not None:
            return [(self._filter_error.one_line(), Ink.ATTENTION)]
        kept = sum(face.decision is Decision.KEEP for face in self._all)
        shown = len(self.rows.items)
        return [
            (f"{shown:,}", Ink.STRONG),
            (f" of {len(self._all):,} · ", Ink.MUTED),
            (f"{kept:,} kept", Ink.GOOD if kept else Ink.MUTED),
        ]

    def focus_list(self) -> None:
        """The faces."""
        self.rows.focus()

    @property
    def rows(self) -> Rows[Face]:
        """The list."""
        return self.query_one("#faces", Rows)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without faces there is nothing to decide."""
        return bool(self._all) or action not in {each.verb for each in actions_of(Scope.FACES)}

    def action_keep(self) -> None:
        """Keeps, and goes on."""
        self._decide(Decision.KEEP)

    def action_reject(self) -> None:
        """Rejects, and goes on."""
        self._decide(Decision.REJECT)

    def action_clear(self) -> None:
        """Takes the decision away, and stays."""
        self._decide(Decision.UNDECIDED, go_on=False)

    def action_undo(self) -> None:
        """Takes the last decision back."""
        self._turn(undo=True)

    def action_redo(self) -> None:
        """Does it again."""
        self._turn(undo=False)

    def action_next_undecided(self) -> None:
        """To the next face without a decision, from the top again after the last."""
        items = self.rows.items
        start = self.rows.cursor + 1
        for index in (*range(start, len(items)), *range(min(start, len(items)))):
            if items[index].decision is Decision.UNDECIDED and items[index].problem is None:
                self.rows.cursor = index
                return
        self.say("Every face here is decided.")

    def action_filter(self) -> None:
        """Into the filter line."""
        self.query_one("#filter").focus()

    def action_framing(self) -> None:
        """Shows more or less around the face."""
        self._framing = FRAMINGS[(FRAMINGS.index(self._framing) + 1) % len(FRAMINGS)]
        self._show_picture()

    def action_view(self) -> None:
        """The picture alone."""
        from tui.screens.large import LargeScreen

        def step(by: int) -> None:
            self.rows.cursor += by

        def current() -> tuple[Subject | None, Line]:
            face = self.rows.item
            if face is None:
                return None, []
            mark, ink = MARKS[face.decision]
            return self._subject(face), [(f"{mark} ", ink), *face_line(face, 200)[1:]]

        self.app.push_screen(LargeScreen(current, step))

    def action_pick(self) -> None:
        """Keeps a first choice of faces, as one action that one undo takes back."""
        faces = list(self._all)

        def choose() -> list[int]:
            from engine.faces.pick import pick

            chosen = [face for face, _ in pick(faces, PICK_COUNT)]
            return [face.id for face in chosen if face.decision is not Decision.KEEP]

        def chosen(ids: list[int]) -> None:
            if not ids:
                self.say("Nothing more to pick: enough are kept, or none can be used.")
            elif self.attempt(lambda: self._ledger().decide(ids, Decision.KEEP)) is not None:
                self._update(ids)
                self.say(f"Picked {many(len(ids), 'face')}. u takes it back.")

        self.do("pick", choose, chosen)

    def action_build(self) -> None:
        """Builds the training images from the kept faces, and goes to see them."""
        from tui.screens.building import build_dataset

        build_dataset(self)

    @on(TextLine.Changed, "#filter")
    def _typed(self) -> None:
        self._select()

    @on(TextLine.Submitted, "#filter")
    def _filtered(self) -> None:
        self.focus_list()

    @on(Rows.Moved, "#faces")
    def _moved(self) -> None:
        self._show_picture()

    @on(Rows.Chosen, "#faces")
    def _chosen(self) -> None:
        self.action_view()

    def on_unmount(self) -> None:
        """Closes the database."""
        if self._store is not None:
            self._store.close()

    def _ledger(self) -> Ledger:
        """The ledger of the app's own thread; opened once, for a decision must cost no more than its write."""
        if self._store is None:
            self._store = Store(self.project.root / "limner.db")
        return Ledger(self._store)

    def _take(self, faces: list[Face]) -> None:
        if self._loaded and faces == self._all:
            return
        self._loaded = True
        self._all = faces
        self._where = {face.id: index for index, face in enumerate(faces)}
        self.show_empty(self.EMPTY if not faces else None)
        self.keys_changed()
        self._select()

    def _select(self) -> None:
        """Filters in a thread, so that typing never waits for a hundred thousand faces."""
        faces, line = list(self._all), self.query_one("#filter", TextLine).value

        def fitting() -> list[Face]:
            from engine.faces.filter import select

            return select(faces, line) if line.strip() else faces

        self.do("select", fitting, self._selected, self._not_selected)

    def _selected(self, fitting: list[Face]) -> None:
        self._filter_error = None
        # Decisions may have been made while the thread was at it: the newest of each face counts.
        fitting = [self._all[self._where[face.id]] for face in fitting if face.id in self._where]
        before = self.rows.item
        ids = [face.id for face in fitting]
        cursor = ids.index(before.id) if before is not None and before.id in ids else 0
        self.rows.show(fitting, cursor)
        self.ask()

    def _not_selected(self, error: LimnerError) -> None:
        self._filter_error = error
        self.ask()

    def _decide(self, decision: Decision, go_on: bool = True) -> None:
        face = self.rows.item
        if face is None:
            return
        if face.problem and decision is Decision.KEEP:
            self.notify(f"{face.problem}: it can't become a training image", severity="warning", markup=False)
            return
        if self.attempt(lambda: self._ledger().decide([face.id], decision)) is None:
            return
        self._update([face.id])
        if go_on:
            self.rows.cursor += 1

    def _turn(self, undo: bool) -> None:
        try:
            ledger = self._ledger()
            action = ledger.undo() if undo else ledger.redo()
        except LimnerError as error:
            self.show_error(error)
            return
        word = "undo" if undo else "redo"
        if action is None:
            self.say(f"There is nothing to {word}.")
            return
        self._update(action.faces)
        index = self._index(action.faces[0]) if action.faces else None
        if index is not None:
            self.rows.cursor = index
        self.say(f"{'Undid' if undo else 'Redid'}: {action.label}")

    def _update(self, ids: Iterable[int]) -> None:
        """Takes the decisions of some faces from the database into what is shown."""
        changed = set(ids)
        ledger = self._ledger()
        for face_id in changed & self._where.keys():
            at = self._where[face_id]
            self._all[at] = replace(self._all[at], decision=ledger.face(face_id).decision)
        items = [self._all[self._where[face.id]] if face.id in changed else face for face in self.rows.items]
        if len(changed) == 1:
            self.rows.items = items
            index = self._index(next(iter(changed)))
            if index is not None:
                self.rows.redraw(index)
        else:
            self.rows.show(items)
        self._show_facts()
        self.ask()

    def _index(self, face_id: int) -> int | None:
        return next((index for index, face in enumerate(self.rows.items) if face.id == face_id), None)

    def _subject(self, face: Face) -> Subject:
        load = partial(face_picture, self.project.cache, face, self._framing)
        return Subject((face.id, face.path, face.box, self._framing), load)

    def _show_picture(self) -> None:
        face, rows = self.rows.item, self.rows
        portrait = self.query_one("#picture", Portrait)
        if face is None:
            portrait.show(None, words=[("no face fits the filter", Ink.MUTED)] if self._all else [])
        elif face.problem:
            portrait.show(None, words=[(face.problem, Ink.ATTENTION)])
        else:
            after = [other for other in rows.items[rows.cursor + 1 : rows.cursor + 1 + AHEAD] if not other.problem]
            portrait.show(self._subject(face), [self._subject(other) for other in after])
        self._show_facts()

    def _show_facts(self) -> None:
        face = self.rows.item
        pane, facts = self.query_one("#picture-pane"), self.query_one("#facts", Static)
        pane.border_title = f"{(face.taken_at or 'no date')[:10]} {face.file_name}"[-60:] if face else ""
        facts.update(content_of(*face_facts(face, self._framing)) if face else "")
