"""Two faces side by side: which one is better."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from engine.faces.records.decisions import Decision, Face
from tui.actions import Scope
from tui.actions.overlays import JUDGING_FACES
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.widgets.face_lines import face_facts
from tui.widgets.ink import Ink, Line, content_of
from tui.widgets.portrait import Portrait, Subject

KEYS = (
    "{compare.left} {compare.right} side  {compare.down} {compare.up} next  {faces.keep} keep  {faces.reject} reject  "
    "{compare.choose} this, not the other  {faces.undo} undo  {compare.leave} back"
)


class CompareScreen(Overlay[int | None]):
    """Shows two faces of a list; decisions are made on the side that is framed, by the keys of the list.

    Args:
        faces: the list; looked at anew after each decision.
        place: whose face stands at the left; the right one is the next.
        decide: decides on a face, saved before it returns.
        subject: a face's picture.
        turn: takes the last decision back (True), or does it again.
    """

    CSS_PATH = "compare.tcss"
    SCOPES = (Scope.COMPARE,)
    ALSO = JUDGING_FACES
    BINDINGS = overlay_bindings(Scope.COMPARE, also=JUDGING_FACES)

    def __init__(
        self,
        faces: Sequence[Face],
        place: int,
        decide: Callable[[Face, Decision], bool],
        subject: Callable[[Face], Subject],
        turn: Callable[[bool], object],
    ) -> None:
        super().__init__()
        self._faces = faces
        # The last one is beside the one before it.
        left = max(0, min(place, len(faces) - 2))
        self._places = [left, min(left + 1, len(faces) - 1)]
        self._side = 1
        self._decide = decide
        self._subject = subject
        self._turn = turn

    def compose(self) -> ComposeResult:
        """Two panes and the keys."""
        with Horizontal():
            for side in ("left", "right"):
                with Vertical(id=side, classes="pane"):
                    yield Portrait()
                    yield Static(classes="facts")
        yield Hints(KEYS, id="keys")

    def on_mount(self) -> None:
        """Shows both."""
        self._show()

    def action_left(self) -> None:
        """The left face is decided on from now."""
        self._go_to(0)

    def action_right(self) -> None:
        """The right face is."""
        self._go_to(1)

    def action_other(self) -> None:
        """The other side."""
        self._go_to(1 - self._side)

    def action_other_back(self) -> None:
        """With two sides the same."""
        self.action_other()

    def action_down(self) -> None:
        """There is no side below."""
        self._move(1)

    def action_up(self) -> None:
        """Nor one above."""
        self._move(-1)

    def action_next(self) -> None:
        """The next face on this side."""
        self._move(1)

    def action_previous(self) -> None:
        """The face before."""
        self._move(-1)

    def action_keep(self) -> None:
        """Keeps the face of this side."""
        self._decide_on(Decision.KEEP)

    def action_reject(self) -> None:
        """Rejects it."""
        self._decide_on(Decision.REJECT)

    def action_clear(self) -> None:
        """Takes its decision away."""
        self._decide_on(Decision.UNDECIDED)

    def action_undo(self) -> None:
        """Takes the last decision back, whatever face it was of."""
        self._turn(True)
        self._show()

    def action_redo(self) -> None:
        """Does it again."""
        self._turn(False)
        self._show()

    def _go_to(self, side: int) -> None:
        self._side = side
        self._show()

    def _move(self, by: int) -> None:
        """Another face on this side; the one on the other side is passed over."""
        place = self._places[self._side] + by
        if place == self._places[1 - self._side]:
            place += by
        if 0 <= place < len(self._faces):
            self._places[self._side] = place
            self._show()

    def _decide_on(self, decision: Decision) -> None:
        self._decide(self._faces[self._places[self._side]], decision)
        self._show()

    def action_choose(self) -> None:
        """Keeps this one, rejects the other."""
        if self._places[0] != self._places[1] and self._decide(self._faces[self._places[self._side]], Decision.KEEP):
            self._decide(self._faces[self._places[1 - self._side]], Decision.REJECT)
        self._show()

    def action_leave(self) -> None:
        """Back to the list, to the face of this side."""
        self.dismiss(self._faces[self._places[self._side]].id)

    def _show(self) -> None:
        for side, name in enumerate(("left", "right")):
            face, pane = self._faces[self._places[side]], self.query_one(f"#{name}")
            pane.set_class(side == self._side, "-here")
            pane.border_title = f"{'▸ ' if side == self._side else ''}{(face.taken_at or 'no date')[:10]}"
            words: Line = [(face.problem, Ink.ATTENTION)] if face.problem else []
            pane.query_one(Portrait).show(None if face.problem else self._subject(face), words=words)
            pane.query_one(Static).update(content_of(*face_facts(face, narrow=self.size.width < 100)))
