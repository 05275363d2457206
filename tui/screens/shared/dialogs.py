"""Small questions over a screen: yes or no, and the words of a new project."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui.actions import Scope
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.widgets.text_line import TextLine


class Confirm(Overlay[bool]):
    """Asks before something that can't be undone."""

    CSS_PATH = "dialogs.tcss"
    SCOPES = (Scope.ANSWER,)
    BINDINGS = overlay_bindings(Scope.ANSWER)

    def __init__(self, question: str, detail: str) -> None:
        super().__init__()
        self._question = question
        self._detail = detail

    def compose(self) -> ComposeResult:
        """The question, what it means, the keys."""
        with Vertical() as box:
            box.border_title = self._question
            yield Static(self._detail + "\n", markup=False)
            yield Hints("{answer.yes} yes   {answer.no} no")

    def action_yes(self) -> None:
        """Closes with the answer."""
        self.dismiss(True)

    def action_no(self) -> None:
        """Closes with the other."""
        self.dismiss(False)


@dataclass(frozen=True)
class NewWords:
    """The words of a new project."""

    trigger: str
    class_word: str


COMMON = NewWords("jx265", "person")
"""What the fields of a new project begin with."""


class NewProject(Overlay[NewWords | None]):
    """Asks for the trigger word and the class word."""

    CSS_PATH = "dialogs.tcss"
    SCOPES = (Scope.CHOICE,)
    BINDINGS = overlay_bindings(Scope.CHOICE)

    def __init__(self, folder: str, words: NewWords = COMMON) -> None:
        super().__init__()
        self._folder = folder
        self._words = words

    def compose(self) -> ComposeResult:
        """Two fields."""
        with Vertical() as box:
            box.border_title = "A new project"
            box.border_subtitle = self.keyed("{field.submit} next · {field.leave} cancel")
            yield Static(f"in {self._folder}\n", markup=False)
            yield Static("a made-up word that will stand for this person", classes="label")
            yield TextLine(self._words.trigger, id="trigger")
            yield Static("what the person is: man, woman, person", classes="label")
            yield TextLine(self._words.class_word, id="class")

    def leave_field(self, field: TextLine) -> None:
        """Leaving a field leaves the whole question."""
        self.action_leave()

    def action_turn(self) -> None:
        """The other field."""
        self.focus_next(TextLine)

    def action_take(self) -> None:
        """What the field at the end does."""
        self._answer()

    def action_leave(self) -> None:
        """Makes nothing."""
        self.dismiss(None)

    @on(TextLine.Submitted, "#trigger")
    def _go_on(self) -> None:
        self.query_one("#class", TextLine).focus()

    @on(TextLine.Submitted, "#class")
    def _answer(self) -> None:
        trigger, class_word = (self.query_one(name, TextLine).value.strip() for name in ("#trigger", "#class"))
        self.dismiss(NewWords(trigger, class_word))
