"""The doctor as a screen: what is as it should be, what is not with the command that mends it, and a test picture."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Static

from engine.doctor import Check, examine
from tui.actions import Scope
from tui.screens.shared.overlay import overlay_bindings
from tui.screens.shared.text_viewer import Reading
from tui.terminal.checks import terminal_checks
from tui.widgets.ink import Ink, Line, content_of, hanging
from tui.widgets.portrait import Portrait, Subject

if TYPE_CHECKING:
    from PIL.Image import Image

    from tui.app.context import Context


def check_lines(checks: list[Check], width: int) -> list[Line]:
    """Each check with its mark, in ``width`` cells; what is not as it should be comes first, with what mends it."""
    lines: list[Line] = []
    for check in sorted(checks, key=lambda each: (each.ok, not each.needed)):
        if check.ok:
            lines += hanging([("✓ ", Ink.GOOD)], f"{check.name}: {check.detail}", Ink.MUTED, width)
            continue
        mark = ("✗ ", Ink.BAD) if check.needed else ("! ", Ink.ATTENTION)
        lines += [[mark, (check.name, Ink.STRONG)]]
        lines += hanging([("  ", Ink.PLAIN)], check.detail, Ink.PLAIN, width)
        lines += hanging([("  → ", Ink.ACTIVE)], check.fix, Ink.ACTIVE, width) if check.fix else []
        lines.append([])
    return lines


def test_picture() -> Image:
    """Colours round, light from above, and a fine grid: what a terminal's picture drawing shows or hides."""
    import PIL.Image

    side = 256
    hues = PIL.Image.linear_gradient("L").rotate(90)
    light = PIL.Image.linear_gradient("L").rotate(180).point(lambda value: 80 + value * 175 // 255)
    picture = PIL.Image.merge("HSV", (hues, PIL.Image.new("L", (side, side), 190), light)).convert("RGB")
    for step in range(0, side, 16):
        picture.paste((20, 20, 20), (step, side * 3 // 4, step + 8, side))
    return picture


class DoctorScreen(Reading[None]):
    """What was found; any of its keys closes it."""

    CSS_PATH = "screen.tcss"
    SCOPES = (Scope.DOCTOR, Scope.READING)
    BINDINGS = overlay_bindings(*SCOPES)

    @dataclass
    class Found(Message):
        """Everything was looked at."""

        checks: list[Check]

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._checks: list[Check] = []

    def compose(self) -> ComposeResult:
        """The checks, and beside them the picture."""
        with Vertical() as box:
            box.border_title = "doctor"
            box.border_subtitle = self.keyed(
                "{reading.down} {reading.up} scroll · {doctor.look} check again · {reading.close} close"
            )
            with Horizontal():
                with VerticalScroll(can_focus=False):
                    yield Static(content_of([("looking …", Ink.MUTED)]), id="checks")
                with Vertical(id="test"):
                    yield Static(content_of([("a test picture:", Ink.MUTED)], [("every hue, fine bars", Ink.MUTED)]))
                    yield Portrait(id="test-picture")

    def on_mount(self) -> None:
        """Looks."""
        self.query_one(Portrait).show(Subject(("doctor",), test_picture))
        self.action_look()

    def action_look(self) -> None:
        """Looks at everything, in a thread."""
        app = cast("Context", self.app)

        def look() -> None:
            checks = examine(self._folder) + terminal_checks(app.asked, app.user_settings.pictures, dict(os.environ))
            self.post_message(self.Found(checks))

        self.run_worker(look, thread=True, exclusive=True, group="doctor", exit_on_error=False)

    def on_doctor_screen_found(self, message: Found) -> None:
        """Shows it."""
        self._checks = message.checks
        self._draw()

    def on_resize(self) -> None:
        """Words wrap elsewhere."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        if self._checks:
            width = self.query_one(VerticalScroll).scrollable_content_region.width
            self.query_one("#checks", Static).update(content_of(*check_lines(self._checks, width)))
