"""Small questions of the Dataset screen: who writes captions, what a change does, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.settings import Captioner, CaptionsSettings
from tui.screens.dataset_lines import finding_line, step_line
from tui.widgets.ink import Ink, Line, content_of
from tui.widgets.meter import many
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from engine.dataset.readiness import Finding
    from engine.dataset.tagwork import Edit


class Preview(ModalScreen[bool]):
    """Shows what a change would do to every caption, its number first, and asks."""

    CSS_PATH = "dataset_questions.tcss"
    BINDINGS = [("y,enter", "answer(True)", "Yes"), ("n,escape,q", "answer(False)", "No")]

    def __init__(self, edit: Edit) -> None:
        super().__init__()
        self._edit = edit

    def compose(self) -> ComposeResult:
        """The number, the captions, the keys."""
        with Vertical() as box:
            box.border_title = f"{self._edit.label[:1].upper()}{self._edit.label[1:]}"
            box.border_subtitle = f"{many(len(self._edit.steps), 'caption')} would change"
            yield Rows(step_line)
            keys = [("y", Ink.ACTIVE), (" change them   ", Ink.MUTED), ("n", Ink.ACTIVE), (" leave it", Ink.MUTED)]
            yield Static(content_of(keys))

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(self._edit.steps)

    def action_answer(self, yes: bool) -> None:
        """Closes with the answer."""
        self.dismiss(yes)


class AskCaptioner(ModalScreen["tuple[Captioner, bool] | None"]):
    """Asks who shall write captions; ``o`` says whether also over those that are there."""

    CSS_PATH = "dataset_questions.tcss"
    BINDINGS = [("enter", "choose", "Choose"), ("o", "overwrite", "Overwrite"), ("escape,q,n", "cancel", "Cancel")]

    def __init__(self, settings: CaptionsSettings, server: str | None) -> None:
        super().__init__()
        self._overwrite = False
        self._choices: list[tuple[Captioner, str]] = [
            (Captioner.TEMPLATE, "what is measured and what the library knows"),
            (Captioner.WD14, settings.wd14),
            (Captioner.BLIP, settings.blip),
            (Captioner.FLORENCE, settings.florence),
            (Captioner.SERVER, server or "set captions.url in limner.toml"),
        ]

    def compose(self) -> ComposeResult:
        """The captioners, the keys."""
        with Vertical(classes="small") as box:
            box.border_title = "Who writes the captions?"
            yield Rows(_choice_line)
            yield Static(id="over")
            keys = [("enter", Ink.ACTIVE), (" begin   ", Ink.MUTED), ("o", Ink.ACTIVE), (" overwrite   ", Ink.MUTED)]
            yield Static(content_of([*keys, ("esc", Ink.ACTIVE), (" leave it", Ink.MUTED)]))

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(self._choices)
        self._say()

    def action_overwrite(self) -> None:
        """Also over captions that somebody wrote, or not."""
        self._overwrite = not self._overwrite
        self._say()

    def action_choose(self) -> None:
        """Closes with the captioner under the cursor."""
        chosen = self.query_one(Rows).item
        self.dismiss((chosen[0], self._overwrite) if chosen else None)

    def action_cancel(self) -> None:
        """Leaves it."""
        self.dismiss(None)

    def _say(self) -> None:
        mine: Line = [("where there is none, or only the template's", Ink.MUTED)]
        over: Line = [("all of them, also those written by hand", Ink.ATTENTION)]
        self.query_one("#over", Static).update(content_of(over if self._overwrite else mine))


class Missing(ModalScreen["str | None"]):
    """Lists what is missing or doubtful; Enter goes to the first image of a line."""

    CSS_PATH = "dataset_questions.tcss"
    BINDINGS = [("enter", "go", "Go there"), ("escape,q,m", "cancel", "Close")]

    def __init__(self, found: list[Finding]) -> None:
        super().__init__()
        self._found = found

    def compose(self) -> ComposeResult:
        """The list, the keys."""
        with Vertical(classes="small") as box:
            box.border_title = "Before training"
            yield Rows(finding_line)
            keys = [("enter", Ink.ACTIVE), (" to the image   ", Ink.MUTED), ("esc", Ink.ACTIVE), (" close", Ink.MUTED)]
            yield Static(content_of(keys))

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(self._found)

    def action_go(self) -> None:
        """Closes with the name of an image."""
        found = self.query_one(Rows).item
        self.dismiss(found.images[0] if found is not None and found.images else None)

    def action_cancel(self) -> None:
        """Closes."""
        self.dismiss(None)


def _choice_line(choice: tuple[Captioner, str], width: int) -> Line:  # noqa: ARG001
    return [(f" {choice[0].value:<10}", Ink.ACTIVE), (choice[1], Ink.MUTED)]
