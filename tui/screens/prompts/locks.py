"""Which parts of a prompt stay while the rest varies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical

from tui.actions import Scope
from tui.screens.shared.overlay import Overlay, overlay_bindings
from tui.widgets.ink import Ink, Line, cut
from tui.widgets.rows import Rows


class Locks(Overlay[None]):
    """The parts of a prompt over the screen; a key locks one, and it holds at once.

    Args:
        parts: the parts that may vary.
        locked: what is locked, parts of other prompts too.
        tell: told what is locked from now on.
    """

    CSS_PATH = "locks.tcss"
    SCOPES = (Scope.SWITCHES,)
    BINDINGS = overlay_bindings(Scope.SWITCHES)

    def __init__(self, parts: Sequence[str], locked: frozenset[str], tell: Callable[[frozenset[str]], object]) -> None:
        super().__init__()
        self._parts = parts
        self._locked = locked
        self._tell = tell

    def compose(self) -> ComposeResult:
        """The parts."""
        with Vertical() as box:
            box.border_title = "Locked parts stay; the rest varies"
            box.border_subtitle = self.keyed("{switches.switch} lock or unlock · {switches.leave} close")
            yield Rows[str](self._line)

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(self._parts)

    def action_switch(self) -> None:
        """The part under the cursor stays, or may vary."""
        rows = self.query_one(Rows)
        if rows.item is not None:
            self._locked = self._locked ^ {rows.item}
            self._tell(self._locked)
            rows.redraw(rows.cursor)

    def action_leave(self) -> None:
        """Closes."""
        self.dismiss(None)

    def _line(self, part: str, width: int) -> Line:
        stays = part in self._locked
        said = ("✓ locked ", Ink.GOOD) if stays else ("· varies ", Ink.MUTED)
        return cut([said, (f" {part}", Ink.STRONG if stays else Ink.PLAIN)], width)
