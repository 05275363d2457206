"""Lines that are laid out for the width they get, whenever that changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.widgets import Static

from tui.widgets.ink import Line, content_of

Draw = Callable[[int], Sequence[Line]]
"""Lays lines out for a width in cells."""


class Sheet(Static):
    """A ``Static`` that asks for its lines anew when its width changes, so that none was made for another."""

    DEFAULT_CSS = "Sheet { width: 1fr; height: auto; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._draw: Draw | None = None
        self._count = 0

    def draw(self, lines: Draw) -> None:
        """Shows the lines that ``lines`` makes, now and at every other width."""
        self._draw = lines
        self._lay_out()

    def on_resize(self) -> None:
        """Another width."""
        self._lay_out()

    def _lay_out(self) -> None:
        if self._draw is not None and self.size.width:
            lines = self._draw(self.size.width)
            # Live figures change twice a second: the screen is laid out anew only for more or fewer of them.
            self.update(content_of(*lines), layout=len(lines) != self._count)
            self._count = len(lines)
