"""Starting a run on another machine: which one, and whether the images may go there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui.actions import Scope
from tui.screens.shared.dialogs import Confirm
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.screens.training.rent import rent_one
from tui.widgets.ink import Ink, Line, cut, title_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from engine.jobs.folder import JobFolder
    from engine.remote.boxes import Box
    from tui.screens.shared.base import WorkScreen


@dataclass(frozen=True)
class ToRent:
    """A machine that is rented for the run, in place of one of the user's own."""


class ChooseMachine(Overlay["Box | ToRent | None"]):
    """Asks for one of the machines that the user has added, or one to rent.

    Args:
        boxes: the machines.
    """

    CSS_PATH = "other_machine.tcss"
    SCOPES = (Scope.CHOICE,)
    BINDINGS = overlay_bindings(Scope.CHOICE)

    def __init__(self, boxes: Sequence[Box]) -> None:
        super().__init__()
        self._boxes = boxes

    def compose(self) -> ComposeResult:
        """The machines, the keys."""
        with Vertical() as box:
            box.border_title = title_of("Train on which machine?")
            yield Rows(self._line)
            if not self._boxes:
                yield Static("Your own machines stand here once they are added: limner remote add NAME ssh://USER@HOST")
            yield Hints("{choice.take} this one   {choice.leave} cancel")

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show([*self._boxes, ToRent()])

    def action_take(self) -> None:
        """Closes with the machine under the cursor."""
        self.dismiss(self.query_one(Rows).item)

    def action_leave(self) -> None:
        """Closes with none."""
        self.dismiss(None)

    def _line(self, box: Box | ToRent, width: int) -> Line:
        if isinstance(box, ToRent):
            return cut(
                [("  rent one …        ", Ink.STRONG), ("by the hour; offers are shown first", Ink.MUTED)], width
            )
        return cut([(f"  {box.name:<16}  ", Ink.STRONG), (box.address, Ink.MUTED)], width)


def start_on_another(screen: WorkScreen, begun: Callable[[JobFolder], None]) -> None:
    """Asks for the machine, tells what goes there the first time, and starts the run.

    Args:
        screen: the Training screen.
        begun: gets the run.
    """
    project = screen.project

    def known() -> list[Box]:
        from engine.remote.boxes import boxes

        return list(boxes().values())

    def offer(found: list[Box]) -> None:
        screen.app.push_screen(ChooseMachine(found), chosen)

    def chosen(box: Box | ToRent | None) -> None:
        if isinstance(box, ToRent):
            rent_one(screen, begun)
        elif box is not None:
            screen.run_latest("machine", lambda: _goes_there(screen, box), lambda words: confirm_first(box, words))

    def confirm_first(box: Box, words: str | None) -> None:
        if words is None:
            begin(box)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                begin(box)

        screen.app.push_screen(Confirm(f"Send them to {box.name}?", f"To {box.address} go {words}."), answered)

    def begin(box: Box) -> None:
        def start() -> JobFolder:
            from engine.remote.start import start_training_on
            from engine.security.trust import confirm

            confirm(project.root, box.address)
            return start_training_on(project, box, {})

        screen.run_latest("start", start, begun)

    screen.run_latest("machines", known, offer)


def _goes_there(screen: WorkScreen, box: Box) -> str | None:
    """What goes to a machine, where that was never confirmed for this project."""
    from engine.remote.start import travelling
    from engine.security.trust import confirmed_addresses

    if box.address in confirmed_addresses(screen.project.root):
        return None
    return travelling(screen.project).words
