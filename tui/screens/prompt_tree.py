"""The tree of prompts: who came from whom."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from engine.prompts.shelf import Prompt
from tui.screens.prompt_lines import family_line
from tui.widgets.rows import Rows


class PromptTree(ModalScreen[str | None]):
    """Shows the tree; the prompt that is chosen is the answer."""

    CSS_PATH = "prompt_tree.tcss"
    BINDINGS = [("enter", "choose", "Take it"), ("escape,q,T", "leave", "Close")]

    def __init__(self, families: Sequence[tuple[int, Prompt]]) -> None:
        super().__init__()
        self._families = families

    def compose(self) -> ComposeResult:
        """The prompts, each under the one that it came from."""
        with Vertical() as box:
            box.border_title = "who came from whom" if self._families else "nothing was varied yet"
            box.border_subtitle = "enter takes it up · esc closes"
            yield Rows[tuple[int, Prompt]](family_line)

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(self._families)

    def action_choose(self) -> None:
        """Takes the prompt under the cursor up."""
        item = self.query_one(Rows).item
        self.dismiss(item[1].text if item else None)

    def action_leave(self) -> None:
        """Closes."""
        self.dismiss(None)
