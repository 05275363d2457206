"""Something to be read over a screen: scrolled by keys, closed by any of several."""

from __future__ import annotations

from textual.containers import VerticalScroll

from tui.screens.shared.overlay import Answer, Overlay

PAGE_LINES = 10
"""What a page key scrolls."""


class Reading(Overlay[Answer]):
    """An overlay with one ``VerticalScroll``. Its scopes have ``reading`` among them."""

    def action_down(self) -> None:
        """A line down."""
        self._scroll(1)

    def action_up(self) -> None:
        """A line up."""
        self._scroll(-1)

    def action_page_down(self) -> None:
        """A page down."""
        self._scroll(PAGE_LINES)

    def action_page_up(self) -> None:
        """A page up."""
        self._scroll(-PAGE_LINES)

    def action_top(self) -> None:
        """To the beginning."""
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def action_bottom(self) -> None:
        """To the end."""
        self.query_one(VerticalScroll).scroll_end(animate=False)

    def action_close(self) -> None:
        """Closes."""
        self.dismiss(None)

    def _scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
