"""A picture as large as the terminal; the keys of the list below still move on."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.widgets import Static

from tui.actions import Scope
from tui.screens.shared.overlay import Overlay, overlay_bindings
from tui.theming.keymap import hint_line
from tui.widgets.ink import Ink, Line, content_of, spread
from tui.widgets.portrait import Portrait, Subject

FAR = 1_000_000
"""Further than any list is long."""

KEYS = "{large.next} {large.previous} next  {large.close} back"


class LargeScreen(Overlay[None]):
    """Shows what ``current`` says, and moves by ``step``, as far as there is anything, through the list below."""

    CSS_PATH = "full_size.tcss"
    SCOPES = (Scope.LARGE,)
    BINDINGS = overlay_bindings(Scope.LARGE)

    def __init__(self, current: Callable[[], tuple[Subject | None, Line]], step: Callable[[int], None]) -> None:
        super().__init__()
        self._current = current
        self._step = step

    def compose(self) -> ComposeResult:
        """The picture and its line."""
        yield Portrait()
        yield Static(id="caption")

    def on_mount(self) -> None:
        """Shows what is under the cursor."""
        self._show()

    def on_resize(self) -> None:
        """The line has another width."""
        self._show()

    def action_next(self) -> None:
        """Goes on in the list below."""
        self._go(1)

    def action_previous(self) -> None:
        """Goes back in it."""
        self._go(-1)

    def action_top(self) -> None:
        """Goes to its first."""
        self._go(-FAR)

    def action_bottom(self) -> None:
        """Goes to its last."""
        self._go(FAR)

    def action_close(self) -> None:
        """Closes."""
        self.dismiss(None)

    def _go(self, by: int) -> None:
        self._step(by)
        self._show()

    def _show(self) -> None:
        subject, caption = self._current()
        self.query_one(Portrait).show(subject, words=[("there is no picture to show", Ink.MUTED)])
        keys = hint_line(KEYS, self.keymap)
        line = spread(caption, keys, max(10, self.size.width - 2))
        self.query_one("#caption", Static).update(content_of(line), layout=False)
