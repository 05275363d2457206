"""The fields of a library: its address, who logs in, and where the photos are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static

from tui.screens.connect.fields import FIELDS, Entered
from tui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from engine.settings import LibrarySettings


class AddressForm(Vertical):
    """The fields; Enter in one goes to the next."""

    @dataclass
    class Completed(Message):
        """Enter was pressed in the last field."""

    def __init__(self) -> None:
        super().__init__(id="form")

    def compose(self) -> ComposeResult:
        """A label and a field each."""
        for name, hint in FIELDS:
            with Horizontal(classes="field"):
                yield Static(name, classes="label")
                yield TextLine(placeholder=hint, password=name == "password", id=name)

    @property
    def entered(self) -> Entered:
        """What stands in the fields."""
        return Entered(*(self.query_one(f"#{name}", TextLine).value.strip() for name, _ in FIELDS))

    def fill(self, library: LibrarySettings) -> None:
        """Writes settings into the fields, except where something was typed already."""
        values = {"address": library.url or "", "originals": library.originals, "sidecar": library.sidecar}
        if library.url and library.url.startswith("folder://"):
            values |= {"address": unquote(library.url)}
        elif library.url and library.url.startswith("sqlite://"):
            values |= {"address": "/" + library.url.removeprefix("sqlite://").lstrip("/")}
        elif library.url and "://" in library.url:
            scheme, _, rest = library.url.partition("://")
            user, at, host = rest.rpartition("@")
            values |= {"address": f"{scheme}://{host}", "user": user if at else ""}
        for name, value in values.items():
            field = self.query_one(f"#{name}", TextLine)
            field.value = field.value or str(value or "")

    def focus_field(self, name: str) -> None:
        """Gives a field the focus; ``name`` is one of ``FIELDS``."""
        self.screen.set_focus(self.query_one(f"#{name}"))

    @on(TextLine.Submitted)
    def _next(self, event: TextLine.Submitted) -> None:
        event.stop()
        order = [name for name, _ in FIELDS]
        if event.input.id == order[-1]:
            self.post_message(self.Completed())
        else:
            # At once: the next key may be here already.
            self.focus_field(order[order.index(event.input.id or order[0]) + 1])
