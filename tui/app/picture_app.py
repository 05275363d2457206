"""What an app needs so that its pictures are drawn as well as the terminal can, and its copies reach the right desk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App

from tui.terminal.clipboard import copy
from tui.terminal.image_registry import ImageRegistry
from tui.terminal.output_filter import OutputFilter
from tui.terminal.protocol import Protocol
from tui.terminal.query import Asked
from tui.text.sanitize import sanitize
from tui.textual_internals import add_line_filter, driver_of

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

REATTACHED_SECONDS = 0.5
"""How long after a regained focus or another size tmux is asked who is attached now."""

_WORDS = {
    Protocol.HALF_BLOCKS: "half-blocks",
    Protocol.KITTY: "Kitty's protocol",
    Protocol.SIXEL: "sixel",
}


class PictureApp(App[None], inherit_bindings=False):
    """An app that draws pictures.

    Args:
        asked: the question that was put to the terminal; left out: half-blocks are all.
    """

    def __init__(self, asked: Asked | None = None, **options: Any) -> None:
        self.asked = asked or Asked()
        super().__init__(**options)
        add_line_filter(self, OutputFilter())
        self.images = ImageRegistry(self, asked)

    def terminal_answered(self) -> None:
        """The terminal's answer came after the app did; told by the driver, from outside of any message."""
        self.call_later(self._answered)

    def action_pictures_as(self) -> None:
        """The terminal's own pictures or half-blocks."""
        protocol = self.images.toggle()
        self.redraw_pictures()
        if self.images.choice.protocol is Protocol.HALF_BLOCKS:
            fix = f" Run: {self.images.choice.fix}" if self.images.choice.fix else ""
            self.notify(f"Only half-blocks: {self.images.choice.why}.{fix}", markup=False)
        else:
            self.notify(f"Pictures are drawn by {_WORDS[protocol]}.", timeout=2, markup=False)

    def on_app_focus(self) -> None:
        """Somebody may have attached from another terminal."""
        self._see_who_is_there()

    def on_resize(self, event: events.Resize) -> None:
        """So may whoever brings another size."""
        self._see_who_is_there()

    def push_screen(self, *arguments: Any, **options: Any) -> Any:
        """Shows a screen above; pictures below it must not be dimmed, for their colours are what they are told by."""
        pushed = super().push_screen(*arguments, **options)
        self._stack_changed()
        return pushed

    def pop_screen(self) -> Any:
        """Takes it away again."""
        popped = super().pop_screen()
        self._stack_changed()
        return popped

    def copy_to_clipboard(self, text: str) -> None:
        """Copies to the clipboard of whoever sits at the other end."""
        self._clipboard = text
        driver = driver_of(self)
        if driver is not None:
            self.run_worker(lambda: copy(text, os.environ, driver.write), thread=True, exit_on_error=False)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Tells something; what steers a terminal in it does not."""
        super().notify(sanitize(message), title=sanitize(title), severity=severity, timeout=timeout, markup=markup)

    def redraw_pictures(self) -> None:
        """Draws what is in sight anew, by the way that holds now."""
        from tui.widgets.portrait import Portrait
        from tui.widgets.thumbnails.grid import Thumbnails

        for screen in self.screen_stack if self.is_running else ():
            for shown in (*screen.query(Portrait), *screen.query(Thumbnails)):
                shown.draw_again()

    def _answered(self) -> None:
        if self.images.answered():
            self.redraw_pictures()

    def _stack_changed(self) -> None:
        if self.images.way is not None:
            self.redraw_pictures()

    def _see_who_is_there(self) -> None:
        if self.asked.modes is not None and os.environ.get("TMUX"):
            self.set_timer(REATTACHED_SECONDS, self._ask_tmux)

    def _ask_tmux(self) -> None:
        def ask() -> None:
            changed = self.images.another_terminal()
            self.call_from_thread(self._reattached, changed)

        self.run_worker(ask, thread=True, exclusive=True, group="terminal", exit_on_error=False)

    def _reattached(self, changed: bool) -> None:
        """Another terminal has none of our pictures; one that stayed loses little by getting them again."""
        if changed or self.images.way is not None:
            self.images.forget_all()
            self.redraw_pictures()
