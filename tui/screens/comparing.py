"""Two faces side by side: which one is better."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.faces.ledger import Decision, Face
from tui.widgets.face_lines import face_facts
from tui.widgets.ink import Ink, Line, content_of
from tui.widgets.portrait import Portrait, Subject

KEYS: Line = [
    *(("h l", Ink.ACTIVE), (" side  ", Ink.MUTED), ("j k", Ink.ACTIVE), (" another  ", Ink.MUTED)),
    *(("y", Ink.ACTIVE), (" keep  ", Ink.MUTED), ("x", Ink.ACTIVE), (" reject  ", Ink.MUTED)),
    *(("Y", Ink.ACTIVE), (" keep it, reject the other  ", Ink.MUTED), ("esc", Ink.ACTIVE), (" back", Ink.MUTED)),
]


class CompareScreen(ModalScreen[int | None]):
    """Shows two faces of a list; decisions are made on the side that is framed.

    Args:
        faces: the list; looked at anew after each decision.
        place: whose face stands at the left; the right one is the next.
        decide: decides on a face, saved before it returns.
        subject: a face's picture.
    """

    CSS_PATH = "comparing.tcss"
    BINDINGS = [
        ("h,left", "side(0)", "Left"),
        ("l,right", "side(1)", "Right"),
        ("tab", "other", "Other side"),
        ("j,down,n", "move(1)", "Next"),
        ("k,up,p", "move(-1)", "Before"),
        ("y", "decide('keep')", "Keep"),
        ("x", "decide('reject')", "Reject"),
        ("c", "decide('undecided')", "Clear"),
        ("Y", "choose", "Keep it, reject the other"),
        ("escape,q,v,enter", "leave", "Back"),
    ]

    def __init__(
        self,
        faces: Sequence[Face],
        place: int,
        decide: Callable[[Face, Decision], bool],
        subject: Callable[[Face], Subject],
    ) -> None:
        super().__init__()
        self._faces = faces
        self._places = [place, min(place + 1, len(faces) - 1)]
        self._side = 1
        self._decide = decide
        self._subject = subject

    def compose(self) -> ComposeResult:
        """Two panes and the keys."""
        with Horizontal():
            for side in ("left", "right"):
                with Vertical(id=side, classes="pane"):
                    yield Portrait()
                    yield Static(classes="facts")
        yield Static(content_of(KEYS), id="keys")

    def on_mount(self) -> None:
        """Shows both."""
        self._show()

    def action_side(self, side: int) -> None:
        """What is decided on from now."""
        self._side = side
        self._show()

    def action_other(self) -> None:
        """The other side."""
        self.action_side(1 - self._side)

    def action_move(self, by: int) -> None:
        """Another face on this side; the one on the other side is passed over."""
        place = self._places[self._side] + by
        if place == self._places[1 - self._side]:
            place += by
        if 0 <= place < len(self._faces):
            self._places[self._side] = place
            self._show()

    def action_decide(self, decision: str) -> None:
        """Decides on the face of this side."""
        self._decide(self._faces[self._places[self._side]], Decision(decision))
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
            pane.query_one(Static).update(content_of(*face_facts(face)))
