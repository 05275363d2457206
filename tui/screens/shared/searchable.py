"""Looking for words in a list as vim's ``/`` does: nothing is hidden, the cursor goes to the next row with them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import TextArea

from tui.screens.shared.base import WorkScreen
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine


class FindLine(TextLine):
    """Where the words are typed, over the keys; there only while they are."""

    DEFAULT_CSS = """
    FindLine { display: none; margin: 0 1; }
    FindLine.-nowhere { color: $ink-attention; }
    """


class Seeking(WorkScreen):
    """A screen whose lists can be looked through. Its scope has the actions find, next_match and previous_match.

    While the words are typed the cursor goes along to the first row from where it was that has them, in either case of
    letters; Enter stays there, Esc goes back.
    """

    def __init__(self) -> None:
        super().__init__()
        self._words = ""
        self._looked_in: Rows[Any] | None = None
        self._began_at = 0

    @property
    @abstractmethod
    def rows(self) -> Rows[Any]:
        """The list that is looked through unless another has the focus."""

    def compose(self) -> ComposeResult:
        """The frame, and the line for the words above the keys."""
        yield from super().compose()
        yield FindLine(placeholder="words of a row", id="find")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a field a slash is a letter; without rows there is nothing to find."""
        if action == "find":
            return not isinstance(self.focused, (TextLine, TextArea))
        return super().check_action(action, parameters)

    def action_find(self) -> None:
        """Opens the line for the words."""
        rows = self._list()
        self._looked_in, self._began_at = rows, rows.cursor
        line = self.query_one(FindLine)
        line.value = ""
        line.display = True
        # At once, so that what is typed right after the key is not lost.
        self.set_focus(line)

    def action_next_match(self) -> None:
        """The next row that has the words, from the top again after the last."""
        self._go(1)

    def action_previous_match(self) -> None:
        """The row before that has them, from the bottom again after the first."""
        self._go(-1)

    def leave_field(self, field: Widget) -> None:
        """Esc in the line goes back to where it was begun."""
        if isinstance(field, FindLine) and self._looked_in is not None:
            self._looked_in.cursor = self._began_at
            self._close()
            return
        super().leave_field(field)

    @on(TextLine.Changed, "#find")
    def _looking(self, event: TextLine.Changed) -> None:
        rows = self._looked_in
        if rows is None or not event.input.display:
            return
        at = rows.find(event.value, self._began_at - 1) if event.value else self._began_at
        event.input.set_class(at is None, "-nowhere")
        rows.cursor = self._began_at if at is None else at

    @on(TextLine.Submitted, "#find")
    def _found(self, event: TextLine.Submitted) -> None:
        rows, words = self._looked_in, event.value
        # Enter alone looks for the same again.
        self._words = words or self._words
        self._close()
        if rows is None:
            return
        if not words:
            self._go(1)
        elif rows.find(words, -1) is None:
            self.say(f"No match for “{words}”.")

    def _go(self, by: int) -> None:
        rows = self._list()
        if not self._words:
            self.say("Nothing was searched for yet.")
            return
        for _ in range(rows.counted(1)):
            at = rows.find(self._words, rows.cursor, by)
            if at is None:
                self.say(f"No match for “{self._words}”.")
                return
            rows.cursor = at

    def _list(self) -> Rows[Any]:
        return self.focused if isinstance(self.focused, Rows) else self.rows

    def _close(self) -> None:
        self.query_one(FindLine).display = False
        self.set_focus(self._looked_in or self.rows)
