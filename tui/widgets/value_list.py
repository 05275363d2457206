"""Settings that move under the arrow keys, each along its own ladder of sensible values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.actions import Scope
from tui.theming.bindings import bindings_for
from tui.widgets.ink import Ink, Line, strip_of, styles_of
from tui.widgets.rows import CURSOR
from tui.widgets.vim_counts import Counts

Number = int | float

ROOMY = 61
"""From more cells on the note of each setting stands beside it."""


@dataclass(frozen=True)
class Dial:
    """One setting.

    Args:
        key: the setting's dotted key.
        label: its name for people.
        ladder: the values that the keys go through, rising. Another value may be set elsewhere; the keys then go to
            the next one of the ladder.
        note: what it means, in few words.
    """

    key: str
    label: str
    ladder: tuple[Number, ...]
    note: str = ""
    show: Callable[[Number], str] = "{:,}".format

    def step(self, value: Number, by: int) -> Number:
        """The next value above or below; the same at the ladder's ends."""
        beyond = [each for each in self.ladder if (each > value if by > 0 else each < value)]
        if not beyond:
            return value
        return beyond[0] if by > 0 else beyond[-1]


class Dials(Counts, Widget, can_focus=True):
    """Rows of settings with a cursor."""

    SCOPE = Scope.DIALS
    BINDINGS = bindings_for(Scope.DIALS)
    COMPONENT_CLASSES = {"dials--cursor"}
    DEFAULT_CSS = """
    Dials { height: auto; & > .dials--cursor { background: $panel; } }
    """

    cursor: reactive[int] = reactive(0)

    @dataclass
    class Turned(Message):
        """A setting was moved."""

        dial: Dial
        value: Number

    @dataclass
    class Moved(Message):
        """The cursor is on another setting."""

        dial: Dial

    def __init__(self, dials: Sequence[Dial], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.dials = tuple(dials)
        self.values: dict[str, Number] = {}

    @property
    def dial(self) -> Dial:
        """The setting under the cursor."""
        return self.dials[self.cursor]

    def show(self, values: dict[str, Number], dials: Sequence[Dial] | None = None) -> None:
        """Shows other values, or as many other settings."""
        if values != self.values or (dials is not None and tuple(dials) != self.dials):
            self.values = dict(values)
            self.dials = self.dials if dials is None else tuple(dials)
            self.refresh()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """A row a setting."""
        return len(self.dials)

    def validate_cursor(self, cursor: int) -> int:
        """The cursor stays inside."""
        return max(0, min(cursor, len(self.dials) - 1))

    def watch_cursor(self) -> None:
        """Tells which setting it is."""
        self.post_message(self.Moved(self.dial))

    def render_line(self, y: int) -> Strip:
        """One setting: ``▸ repeats      ◂ 10 ▸   uses of each image per epoch image``."""
        width = self.size.width
        if y >= len(self.dials):
            return Strip.blank(width, self.rich_style)
        dial, here = self.dials[y], y == self.cursor
        paper = self.rich_style
        if here and self.has_focus:
            paper += self.get_component_rich_style("dials--cursor", partial=True)
        value = self.values.get(dial.key)
        shown = "–" if value is None else dial.show(value)
        arrows = Ink.ACTIVE if here and self.has_focus else Ink.FAINT
        left: Line = [(f"{CURSOR if here else ' '} ", Ink.ACTIVE), (f"{dial.label:<14}", Ink.PLAIN)]
        left += [("◂ ", arrows), (f"{shown:>7}", Ink.STRONG), (" ▸", arrows)]
        note: Line = [(f"   {dial.note}", Ink.MUTED)] if width > ROOMY else []
        return strip_of([*left, *note], width, styles_of(self.app), paper)

    def on_click(self, event: events.Click) -> None:
        """A click chooses the setting."""
        self.cursor = event.y

    def action_next(self) -> None:
        """The next setting."""
        self.cursor += self.counted(1)

    def action_top(self) -> None:
        """The first setting, or the one counted."""
        self.cursor = self.counted(1) - 1

    def action_bottom(self) -> None:
        """The last one, or the one counted."""
        self.cursor = self.counted(len(self.dials)) - 1

    def action_previous(self) -> None:
        """The one before."""
        self.cursor -= self.counted(1)

    def action_more(self) -> None:
        """Increase the value, by as many steps as were counted."""
        self._turn(self.counted(1))

    def action_less(self) -> None:
        """Decrease the value."""
        self._turn(-self.counted(1))

    def _turn(self, by: int) -> None:
        dial = self.dial
        value = self.values.get(dial.key)
        if value is None:
            return
        turned = value
        for _ in range(min(abs(by), len(dial.ladder))):
            turned = dial.step(turned, by)
        if turned != value:
            self.values[dial.key] = turned
            self.refresh()
            self.post_message(self.Turned(dial, turned))
