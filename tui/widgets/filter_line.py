"""The filter's field: words are completed as they are typed, one that is not understood is set off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from rich.highlighter import Highlighter
from rich.text import Text
from textual import events
from textual.suggester import Suggester

from tui.textual_internals import forward_key
from tui.theming.keymap import AS_THEY_COME
from tui.widgets.text_line import COPIES, TextLine


class FilterLine(TextLine):
    """A line of filter words. ``→`` takes the completion that is shown.

    While it is typed a last word that is only begun does not count yet. Once the line is left it does: a space is put
    behind it, so that it is read as it stands, and an error points at it instead of its being passed over.

    Args:
        saved: the names of saved lines.
        complete: what the last word of a line could become; left out: as over faces.
        placeholder: what stands in an empty line.
        id: the widget's.
    """

    def __init__(
        self,
        saved: Callable[[], Iterable[str]] = tuple,
        *,
        complete: Callable[[str], list[str]] | None = None,
        placeholder: str = "",
        id: str | None = None,
    ) -> None:
        super().__init__(placeholder=placeholder, id=id)
        self._complete = complete or partial(_of_faces, saved)
        self.suggester = _Completions(self._complete)
        self._wrong = _Wrong()
        self.highlighter = self._wrong

    async def _on_key(self, event: events.Key) -> None:
        """Acts in the order in which keys were typed, however fast they came.

        Textual looks bindings up once a key has travelled up to the app, by which time letters that followed it are in
        the field. So what ends or empties the line is done here, and keys that came after go where the focus is.
        """
        focused, keymap = self.screen.focused, getattr(self.app, "keys", AS_THEY_COME)
        submits = keymap.is_for("field.submit", event.key)
        if focused is not self and focused is not None:
            event.stop()
            event.prevent_default()
            forward_key(focused, event)
        elif event.key == "ctrl+u":
            event.stop()
            event.prevent_default()
            self.action_delete_left_all()
        elif event.key == COPIES and self.selected_text:
            return
        elif submits or keymap.is_for("field.leave", event.key):
            event.stop()
            event.prevent_default()
            self._finish()
            if submits:
                await self.action_submit()
            self.action_leave()

    def on_blur(self) -> None:
        """However the line is left, its last word is whole now."""
        self._finish()

    def _finish(self) -> None:
        if self._complete(self.value):
            self.value += " "
            self.cursor_position = len(self.value)

    def point_at(self, start: int, end: int) -> None:
        """Sets a stretch of the line off as wrong; an empty one sets off nothing."""
        if (self._wrong.start, self._wrong.end) != (start, end):
            self._wrong.start, self._wrong.end = start, end
            self.refresh()


class _Completions(Suggester):
    """Completes the last word."""

    def __init__(self, complete: Callable[[str], list[str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        """The whole line with its last word completed; None where nothing fits."""
        found = self._complete(value)
        if not found:
            return None
        typed = max(len(value) - len(value.rsplit(None, 1)[-1]), 0)
        return value[:typed] + found[0]


def _of_faces(saved: Callable[[], Iterable[str]], line: str) -> list[str]:
    from engine.faces.selection.filter import completions

    return completions(line, saved())


class _Wrong(Highlighter):
    """Underlines what is not understood."""

    start = 0
    end = 0

    def highlight(self, text: Text) -> None:
        """Marks the stretch."""
        if self.end > self.start:
            text.stylize("underline bold", self.start, min(self.end, len(text)))
