"""What keeps the user's photos, chosen from one list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical

from tui.actions import Scope
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.widgets.ink import Ink, Line, cut, title_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from engine.library.kind import LibraryKind

ABOUT_CELLS = 32
"""From where on it is told what a kind needs."""


class ChooseKind(Overlay["LibraryKind | None"]):
    """Asks for one of the kinds of libraries.

    Args:
        kinds: in the order in which they are offered.
        now: the one that the project has; None: none yet.
    """

    CSS_PATH = "choose_kind.tcss"
    SCOPES = (Scope.CHOICE,)
    BINDINGS = overlay_bindings(Scope.CHOICE)

    def __init__(self, kinds: tuple[LibraryKind, ...], now: LibraryKind | None) -> None:
        super().__init__()
        self._kinds = kinds
        self._now = now

    def compose(self) -> ComposeResult:
        """The kinds, the keys."""
        with Vertical() as box:
            box.border_title = title_of("What keeps your photos?")
            yield Rows(self._line)
            yield Hints("{choice.take} this one   {choice.leave} cancel")

    def on_mount(self) -> None:
        """Fills the list, the cursor on the one of now."""
        rows = self.query_one(Rows)
        rows.show(self._kinds)
        if self._now in self._kinds:
            rows.cursor = self._kinds.index(self._now)

    def action_take(self) -> None:
        """Closes with the kind under the cursor."""
        self.dismiss(self.query_one(Rows).item)

    def action_leave(self) -> None:
        """Closes with none."""
        self.dismiss(None)

    def _line(self, kind: LibraryKind, width: int) -> Line:
        chosen = kind == self._now
        name: Line = [("● " if chosen else "  ", Ink.ACTIVE), (kind.chosen_by, Ink.STRONG if chosen else Ink.PLAIN)]
        gap = " " * max(2, ABOUT_CELLS - len(kind.chosen_by))
        return cut([*name, (gap + kind.about, Ink.MUTED)], width)
