"""The caption in an editor pane: several rows on screen, one line on disk, saved with every key."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.message import Message
from textual.widgets import TextArea

from tui.actions import Scope, actions_of
from tui.theming.bindings import bindings_for
from tui.theming.keymap import AS_THEY_COME
from tui.widgets.text_line import COPIES


class CaptionArea(TextArea):
    """A text of several rows; the keys of a field go back to the list, for a caption is one line."""

    SCOPE = Scope.FIELD
    BINDINGS = bindings_for(Scope.FIELD)
    DEFAULT_CSS = """
    CaptionArea {
        background: transparent; padding: 0; border: none;
        &:focus { background: $panel; background-tint: $foreground 0%; border: none; }
        & .text-area--cursor-line { background: transparent; }
    }
    """

    def __init__(self, typed: Callable[[], None], *, id: str | None = None) -> None:
        """``typed`` is called after each change that a person made, before it is drawn."""
        self._typed = typed
        self._showing = False
        super().__init__(id=id, compact=True, highlight_cursor_line=False, tab_behavior="focus")
        self.cursor_blink = False

    def post_message(self, message: Message) -> bool:
        """A change is told at once: what is seen of a caption is on disk. By way of the queue it would be told after
        all the keys that wait there, and the screen be drawn in between."""
        if isinstance(message, TextArea.Changed) and not self._showing:
            self._typed()
        return super().post_message(message)

    def show(self, text: str) -> None:
        """Shows another caption, the cursor at its end; nothing of it counts as typed."""
        if text != self.text:
            self._showing = True
            try:
                self.load_text(text)
            finally:
                self._showing = False
        self.move_cursor(self.document.end)

    def on_resize(self) -> None:
        """Lines that were wrapped and drawn for another width are so anew, once the width is what it will be."""
        self.call_after_refresh(self._wrap_anew)

    def _wrap_anew(self) -> None:
        self.wrapped_document.wrap(self.wrap_width, self.indent_width)
        self.notify_style_update()
        self.refresh(layout=True)

    def action_submit(self) -> None:
        """What was typed is saved already."""
        self.action_leave()

    def action_leave(self) -> None:
        """Back to the screen's list."""
        leave = getattr(self.screen, "leave_field", None)
        if leave is not None:
            leave(self)

    async def on_key(self, event: events.Key) -> None:
        """Keys of a field are no text: Textual's area would take Enter for a new line."""
        keymap = getattr(self.app, "keys", AS_THEY_COME)
        if event.key == COPIES and self.selected_text:
            event.stop()
            event.prevent_default()
            self.action_copy()
        elif any(event.key in action.keys for action in keymap.all(actions_of(Scope.FIELD))):
            event.prevent_default()
