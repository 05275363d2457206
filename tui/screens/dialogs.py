"""Small questions over a screen: yes or no, and the words of a new project."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.widgets.ink import Ink, content_of
from tui.widgets.text_line import TextLine


class Confirm(ModalScreen[bool]):
    """Asks before something that can't be undone."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS = [("y,enter", "answer(True)", "Yes"), ("n,escape,q", "answer(False)", "No")]

    def __init__(self, question: str, detail: str) -> None:
        super().__init__()
        self._question = question
        self._detail = detail

    def compose(self) -> ComposeResult:
        """The question, what it means, the keys."""
        with Vertical() as box:
            box.border_title = self._question
            yield Static(self._detail + "\n", markup=False)
            keys = [("y", Ink.ACTIVE), (" yes   ", Ink.MUTED), ("n", Ink.ACTIVE), (" no", Ink.MUTED)]
            yield Static(content_of(keys))

    def action_answer(self, yes: bool) -> None:
        """Closes with the answer."""
        self.dismiss(yes)


@dataclass(frozen=True)
class NewWords:
    """The words of a new project."""

    trigger: str
    class_word: str


class NewProject(ModalScreen[NewWords | None]):
    """Asks for the trigger word and the class word."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS = [("escape", "cancel", "Cancel")]

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def compose(self) -> ComposeResult:
        """Two fields."""
        with Vertical() as box:
            box.border_title = "A new project"
            box.border_subtitle = "enter goes on · esc leaves it"
            yield Static(f"in {self._folder}\n", markup=False)
            yield Static("a made-up word that comes to mean this person", classes="label")
            yield TextLine("jx265", id="trigger")
            yield Static("what the person is: man, woman, person", classes="label")
            yield TextLine("person", id="class")

    def leave_field(self, field: TextLine) -> None:
        """Esc in a field leaves the whole question."""
        self.action_cancel()

    def action_cancel(self) -> None:
        """Makes nothing."""
        self.dismiss(None)

    @on(TextLine.Submitted, "#trigger")
    def _go_on(self) -> None:
        self.query_one("#class", TextLine).focus()

    @on(TextLine.Submitted, "#class")
    def _answer(self) -> None:
        trigger, class_word = (self.query_one(name, TextLine).value.strip() for name in ("#trigger", "#class"))
        self.dismiss(NewWords(trigger, class_word))
