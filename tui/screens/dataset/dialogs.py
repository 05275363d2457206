"""Small questions of the Dataset screen: who writes captions, what a change does, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from engine.counting import many
from tui.actions import Scope
from tui.screens.dataset.text import finding_line, step_line
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.widgets.ink import Ink, Line, content_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from engine.dataset.captions.bulk_edits import Edit
    from engine.dataset.readiness import Finding


class Preview(Overlay[bool]):
    """Shows what a change would do to every caption, its number first, and asks."""

    CSS_PATH = "dialogs.tcss"
    SCOPES = (Scope.ANSWER,)
    BINDINGS = overlay_bindings(Scope.ANSWER)

    def __init__(self, edit: Edit) -> None:
        super().__init__()
        self._edit = edit

    def compose(self) -> ComposeResult:
        """The number, the captions, the keys."""
        with Vertical() as box:
            box.border_title = f"{self._edit.label[:1].upper()}{self._edit.label[1:]}"
            box.border_subtitle = f"{many(len(self._edit.steps), 'caption')} would change"
            yield Rows(step_line)
            yield Hints("{answer.yes} change them   {answer.no} cancel")

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(self._edit.steps)

    def action_yes(self) -> None:
        """Closes with the answer."""
        self.dismiss(True)

    def action_no(self) -> None:
        """Closes with the other."""
        self.dismiss(False)


class AskCaptioner(Overlay["tuple[str, bool] | None"]):
    """Asks who shall write captions, and whether also over those that are there."""

    CSS_PATH = "dialogs.tcss"
    SCOPES = (Scope.CAPTIONER, Scope.CHOICE)
    BINDINGS = overlay_bindings(*SCOPES)

    def __init__(self, choices: list[tuple[str, str, str]]) -> None:
        """Takes each captioner's name, what it writes, and what it uses."""
        super().__init__()
        self._overwrite = False
        self._choices = choices

    def compose(self) -> ComposeResult:
        """The captioners, the keys."""
        with Vertical(classes="small") as box:
            box.border_title = "Who writes the captions?"
            yield Rows(_choice_line)
            yield Static(id="over")
            yield Hints("{choice.take} start   {captioner.overwrite} overwrite   {choice.leave} cancel")

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(self._choices)
        self._say()

    def action_overwrite(self) -> None:
        """Also over captions that somebody wrote, or not."""
        self._overwrite = not self._overwrite
        self._say()

    def action_take(self) -> None:
        """Closes with the captioner under the cursor."""
        chosen = self.query_one(Rows).item
        self.dismiss((chosen[0], self._overwrite) if chosen else None)

    def action_leave(self) -> None:
        """Leaves it."""
        self.dismiss(None)

    def _say(self) -> None:
        mine: Line = [("existing captions stay, except the template's", Ink.MUTED)]
        over: Line = [("every caption is written again, even those written by hand", Ink.ATTENTION)]
        self.query_one("#over", Static).update(content_of(over if self._overwrite else mine))


class Missing(Overlay["str | None"]):
    """Lists what is missing or doubtful; Enter goes to the first image of a line."""

    CSS_PATH = "dialogs.tcss"
    SCOPES = (Scope.CHOICE,)
    BINDINGS = overlay_bindings(Scope.CHOICE)

    def __init__(self, found: list[Finding]) -> None:
        super().__init__()
        self._found = found

    def compose(self) -> ComposeResult:
        """The list, the keys."""
        with Vertical(classes="small") as box:
            box.border_title = "Before training"
            yield Rows(finding_line)
            yield Hints("{choice.take} go to the image   {choice.leave} close")

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(self._found)

    def action_take(self) -> None:
        """Closes with the name of an image."""
        found = self.query_one(Rows).item
        self.dismiss(found.images[0] if found is not None and found.images else None)

    def action_leave(self) -> None:
        """Closes."""
        self.dismiss(None)


def _choice_line(choice: tuple[str, str, str], width: int) -> Line:  # noqa: ARG001
    """Who writes, what comes of it, and by what."""
    return [(f" {choice[0]:<10}", Ink.ACTIVE), (f"{choice[1]:<12}", Ink.PLAIN), (choice[2], Ink.MUTED)]
