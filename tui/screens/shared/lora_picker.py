"""Choosing the LoRA to paint with: every checkpoint, its run, and the likeness that was measured of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Vertical

from engine.pictures.gallery.lora_choice import LoraChoice
from tui.actions import Scope
from tui.screens.shared.overlay import Overlay, overlay_bindings
from tui.widgets.ink import Ink, Line, giving_way
from tui.widgets.rows import Rows

NAME_CELLS = 16


@dataclass(frozen=True)
class Newest:
    """Not a certain checkpoint: always the newest of the newest run."""


Row = LoraChoice | Newest


class LoraPicker(Overlay[Row | None]):
    """A list over the screen; the row that is chosen is the answer."""

    CSS_PATH = "lora_picker.tcss"
    SCOPES = (Scope.CHOICE, Scope.PICKER)
    BINDINGS = overlay_bindings(Scope.CHOICE, Scope.PICKER)

    def __init__(self, choices: Sequence[LoraChoice], now: Row, add: Callable[[LoraChoice], None]) -> None:
        super().__init__()
        self._rows: list[Row] = [Newest(), *choices]
        self._now = now
        self._add = add

    def compose(self) -> ComposeResult:
        """The list."""
        with Vertical() as box:
            box.border_title = "Paint with"
            keys = "{choice.take} use it · {picker.add} add to the prompt · {choice.leave} cancel"
            box.border_subtitle = self.keyed(keys)
            yield Rows[Row](self._line)

    def on_mount(self) -> None:
        """Fills the list; the cursor is on what is used now."""
        at = next((at for at, row in enumerate(self._rows) if _same(row, self._now)), 0)
        self.query_one(Rows).show(self._rows, at)

    def _line(self, row: Row, width: int) -> Line:
        mark = ("● " if _same(row, self._now) else "  ", Ink.ACTIVE)
        if isinstance(row, Newest):
            return [mark, ("the newest checkpoint", Ink.STRONG)]
        told: list[Line] = []
        if row.likeness is not None:
            told.append([(f"  likeness {row.likeness:3.0f}", Ink.GOOD if row.recommended else Ink.PLAIN)])
        if row.strength is not None:
            told.append([(f"  at {row.strength:.2f}", Ink.PLAIN)])
        told.append([(f"  {'best' if row.recommended else '':4}  {row.run}", Ink.MUTED)])
        return giving_way([mark, (row.name, Ink.STRONG)], told, width, least=NAME_CELLS)

    def action_take(self) -> None:
        """Closes with the row under the cursor."""
        self.dismiss(self.query_one(Rows).item)

    def action_add(self) -> None:
        """Writes it into the prompt, beside other LoRAs."""
        row = self.query_one(Rows).item
        if isinstance(row, LoraChoice) and row.file is not None:
            self._add(row)
            self.dismiss(None)

    def action_leave(self) -> None:
        """Closes."""
        self.dismiss(None)


def _same(one: Row, other: Row) -> bool:
    if isinstance(one, Newest) or isinstance(other, Newest):
        return type(one) is type(other)
    return one.file == other.file and (one.strength == other.strength or other.strength is None)
