"""Prompts to take up: the tree of who came from whom, and the library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from engine.prompts.shared_prompts import SharedPrompt
from engine.prompts.store import Prompt
from tui.actions import Scope
from tui.screens.prompts.text import family_line, library_line
from tui.screens.shared.overlay import Overlay, overlay_bindings
from tui.widgets.ink import Ink, Line, content_of, title_of
from tui.widgets.rows import Rows

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Taken:
    """A prompt that was chosen; empty parts are not in it."""

    text: str
    negative: str = ""


class PromptList(Overlay[Taken | None], Generic[Entry]):
    """A list over the screen; the prompt that is chosen is the answer."""

    CSS_PATH = "tree.tcss"
    SCOPES = (Scope.CHOICE,)
    BINDINGS = overlay_bindings(Scope.CHOICE)

    def __init__(
        self,
        title: str,
        entries: Sequence[Entry],
        draw: Callable[[Entry, int], Line],
        take: Callable[[Entry], Taken],
    ) -> None:
        super().__init__()
        self._title = title
        self._entries = entries
        self._draw = draw
        self._take = take

    def compose(self) -> ComposeResult:
        """The prompts."""
        with Vertical() as box:
            box.border_title = title_of(self._title)
            box.border_subtitle = self.keyed("{choice.take} insert · {choice.leave} close")
            yield Rows[Entry](self._draw)
            yield Static(id="whole")

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(self._entries)

    @on(Rows.Moved)
    def _moved(self) -> None:
        """A row is cut where it is too long; here the prompt stands as a whole."""
        item = self.query_one(Rows).item
        taken = self._take(item) if item is not None else Taken("")
        without: Line = [(f"  without: {taken.negative}", Ink.MUTED)] if taken.negative else []
        self.query_one("#whole", Static).update(content_of([(taken.text, Ink.PLAIN), *without]))

    def action_take(self) -> None:
        """Takes the prompt under the cursor up."""
        item = self.query_one(Rows).item
        self.dismiss(self._take(item) if item is not None else None)

    def action_leave(self) -> None:
        """Closes."""
        self.dismiss(None)


def tree(families: Sequence[tuple[int, Prompt]]) -> PromptList[tuple[int, Prompt]]:
    """Each prompt under the one that it came from."""
    title = "Variation tree" if families else "No variations yet"
    return PromptList(title, families, family_line, lambda entry: Taken(entry[1].text, entry[1].negative))


def library(prompts: Sequence[SharedPrompt]) -> PromptList[SharedPrompt]:
    """The project's prompts, the user's own, and those that Limner comes with."""
    return PromptList("Prompts to start from", prompts, library_line, lambda each: Taken(each.text, each.negative))
