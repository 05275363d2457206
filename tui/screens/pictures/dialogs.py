"""Small questions of the Pictures screen: how many stars, what a file says of its picture, where copies go."""

from __future__ import annotations

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from engine.pictures.orders.queue import MOST_STARS
from tui.actions import Scope
from tui.actions.overlays import OF_PARAMETERS
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.screens.shared.text_viewer import Reading
from tui.widgets.ink import Ink, Line, content_of, title_of
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine

TO_EXPORT = "~/favourites"

DIGITS = tuple(str(stars) for stars in range(MOST_STARS + 1))
"""They answer how many stars."""


class Stars(Overlay[int | None]):
    """Asks for a number of stars; a digit answers at once.

    Args:
        now: the stars that there are.
    """

    CSS_PATH = "dialogs.tcss"
    SCOPES = (Scope.CHOICE,)
    BINDINGS = overlay_bindings(Scope.CHOICE)

    def __init__(self, now: int) -> None:
        super().__init__()
        self._now = now

    def compose(self) -> ComposeResult:
        """The stars, the keys."""
        with Vertical() as box:
            box.border_title = "How many stars?"
            box.border_subtitle = self.keyed("{choice.take} rate · {choice.leave} cancel")
            yield _StarRows(_stars_line)

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(range(MOST_STARS + 1), self._now)

    def on_key(self, event: events.Key) -> None:
        """A digit is an answer."""
        if event.key in DIGITS:
            event.stop()
            self.dismiss(DIGITS.index(event.key))

    @on(Rows.Chosen)
    def action_take(self) -> None:
        """Closes with the stars under the cursor."""
        self.dismiss(self.query_one(Rows).item)

    def action_leave(self) -> None:
        """Leaves it."""
        self.dismiss(None)


class _StarRows(Rows[int]):
    """Rows in which a digit is no count."""

    def _is_free(self, key: str) -> bool:
        return False


class ParametersScreen(Reading[bool]):
    """A picture's parameters as they stand in its file; closes with whether to copy them."""

    CSS_PATH = "dialogs.tcss"
    SCOPES = (Scope.READING,)
    ALSO = OF_PARAMETERS
    BINDINGS = overlay_bindings(Scope.READING, also=OF_PARAMETERS)

    def __init__(self, name: str, text: str) -> None:
        super().__init__()
        self._file = name
        self._text = text

    def compose(self) -> ComposeResult:
        """The text and the keys."""
        with Vertical() as box:
            box.border_title = title_of(self._file)
            box.border_subtitle = self.keyed("{pictures.copy} copy · {reading.close} close")
            with VerticalScroll(can_focus=False):
                yield Static(content_of(*[_parameter_line(line) for line in self._text.split("\n")]))

    def action_copy(self) -> None:
        """Closes, and they are copied."""
        self.dismiss(True)

    def action_parameters(self) -> None:
        """The key that opened it closes it."""
        self.dismiss(False)

    def action_close(self) -> None:
        """Closes."""
        self.dismiss(False)


class ExportScreen(Overlay[tuple[str, bool] | None]):
    """Asks for a folder, and whether what made the pictures goes with them."""

    CSS_PATH = "dialogs.tcss"
    SCOPES = (Scope.CHOICE,)
    BINDINGS = overlay_bindings(Scope.CHOICE)

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question
        self._metadata = True

    def compose(self) -> ComposeResult:
        """A field and a choice."""
        with Vertical() as box:
            box.border_title = self._question
            box.border_subtitle = self.keyed("{field.submit} copy · {field.leave} cancel")
            yield TextLine(TO_EXPORT)
            yield Static(id="choice")
            yield Hints("{choice.turn} changes it")

    def on_mount(self) -> None:
        """Shows the choice."""
        self._show()

    def leave_field(self, field: TextLine) -> None:
        """Leaving the field leaves the question."""
        self.action_leave()

    def action_turn(self) -> None:
        """The other way."""
        self._metadata = not self._metadata
        self._show()

    @on(TextLine.Submitted)
    def action_take(self) -> None:
        """Closes with the folder; without one it stays."""
        if folder := self.query_one(TextLine).value.strip():
            self.dismiss((folder, self._metadata))

    def action_leave(self) -> None:
        """Leaves it."""
        self.dismiss(None)

    def _show(self) -> None:
        words = ("with generation parameters", "image only, no metadata")
        lines: list[Line] = [
            [(f"({'•' if here else ' '}) {word}", Ink.PLAIN if here else Ink.MUTED)]
            for word, here in zip(words, (self._metadata, not self._metadata), strict=True)
        ]
        self.query_one("#choice", Static).update(content_of([], *lines))


def _stars_line(stars: int, width: int) -> Line:  # noqa: ARG001
    """A number of stars: its digit, and how it looks."""
    return [(f" {stars}  ", Ink.ACTIVE), ("★" * stars or "none", Ink.ATTENTION if stars else Ink.MUTED)]


def _parameter_line(line: str) -> Line:
    """A line of the parameters; the words before a colon stand back."""
    head, colon, rest = line.partition(":")
    if line.startswith(("Negative prompt:", "Steps:")):
        return [(f"{head}{colon}", Ink.MUTED), (rest, Ink.PLAIN)]
    return [(line, Ink.PLAIN)]
