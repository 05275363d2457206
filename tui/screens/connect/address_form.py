"""What has to be known to open a library: what keeps the photos, and the fields of that kind alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static

from tui.screens.connect.fields import FIELDS, Entered
from tui.widgets.ink import Ink, Line, content_of
from tui.widgets.path_line import PathLine
from tui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from engine.library.kind import LibraryKind
    from engine.settings import LibrarySettings


class AddressForm(Vertical):
    """The kind of library and its fields; Enter in one goes to the next."""

    @dataclass
    class Completed(Message):
        """Enter was pressed in the last field."""

    def __init__(self) -> None:
        super().__init__(id="form")
        self.kind: LibraryKind | None = None
        """What keeps the photos; None: nobody said yet."""

    def compose(self) -> ComposeResult:
        """A label and a field each; those that the kind does not have are not shown."""
        with Horizontal(classes="field", id="kind-row"):
            yield Static("library", classes="label")
            yield Static(content_of([("not chosen yet", Ink.MUTED)]), id="kind")
        for name in FIELDS:
            with Horizontal(classes="field", id=f"{name}-row"):
                yield Static(name, classes="label")
                if name in ("user", "password"):
                    yield TextLine(password=name == "password", id=name)
                else:
                    yield PathLine(id=name)

    def on_mount(self) -> None:
        """No kind, no fields."""
        self._show_fields()

    @property
    def entered(self) -> Entered:
        """What stands in the fields that are shown."""
        shown = {field.name for field in self.kind.fields} if self.kind else set(FIELDS)
        values = {name: self.query_one(f"#{name}", TextLine).value.strip() if name in shown else "" for name in FIELDS}
        return Entered(**values, kind=self.kind)

    def choose(self, kind: LibraryKind, change: Line) -> None:
        """Shows the fields of a kind. What was typed for another one goes where it would mean something else.

        Args:
            kind: what keeps the photos.
            change: what says how to choose another.
        """
        if self.kind is not None and kind != self.kind:
            for name in FIELDS:
                self.query_one(f"#{name}", TextLine).value = ""
        self.kind = kind
        self.query_one("#kind", Static).update(content_of([(f"{kind.chosen_by}   ", Ink.PLAIN), *change]))
        self._show_fields()

    def fill(self, library: LibrarySettings) -> None:
        """Writes settings into the fields, except where something was typed already."""
        for name, value in values_of(self.kind, library).items():
            field = self.query_one(f"#{name}", TextLine)
            field.value = field.value or value

    def focus_field(self, name: str) -> None:
        """Gives a field the focus; ``name`` is one of ``FIELDS``."""
        self.screen.set_focus(self.query_one(f"#{name}"))

    def _show_fields(self) -> None:
        fields = {field.name: field for field in self.kind.fields} if self.kind else {}
        for name in FIELDS:
            row = self.query_one(f"#{name}-row")
            row.display = name in fields
            if name in fields:
                row.query_one(".label", Static).update(fields[name].title)
                row.query_one(TextLine).placeholder = fields[name].hint

    @on(TextLine.Submitted)
    def _next(self, event: TextLine.Submitted) -> None:
        event.stop()
        order = [field.name for field in self.kind.fields] if self.kind else list(FIELDS)
        name = event.input.id or order[0]
        if name == order[-1]:
            self.post_message(self.Completed())
        else:
            # At once: the next key may be here already.
            self.focus_field(order[order.index(name) + 1])


def values_of(kind: LibraryKind | None, library: LibrarySettings) -> dict[str, str]:
    """What stands in the fields for the settings of a library: the address as one would type it, its user beside it."""
    address, user = library.url or "", ""
    scheme, between, rest = address.partition("://")
    if between and "@" in rest.partition("/")[0]:
        user, _, rest = rest.partition("@")
        address = f"{scheme}://{rest}"
    values = {
        "address": kind.shown(address) if kind else address,
        "user": user,
        "originals": str(library.originals or ""),
        "sidecar": str(library.sidecar or ""),
    }
    shown = {field.name for field in kind.fields} if kind else set(FIELDS)
    return {name: value for name, value in values.items() if name in shown}
