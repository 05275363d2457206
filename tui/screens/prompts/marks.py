"""What is said of the variations of a prompt, a key each, and taken back again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace

from engine.prompts.store import Mark
from tui.screens.prompts.text import Variant
from tui.screens.prompts.variation_request import ChoosingWhatVaries
from tui.screens.prompts.work import PromptDraft, marked
from tui.widgets.rows import Rows


@dataclass(frozen=True)
class Marked:
    """One mark that was made: the variation as it was, and what it became."""

    variant: Variant
    mark: Mark


class MarkingVariations(ChoosingWhatVaries):
    """The part of the screen that keeps and drops. Marks are undone as long as the app is open."""

    def __init__(self) -> None:
        super().__init__()
        self._variants: list[Variant] = []
        self._done: list[Marked] = []
        self._undone: list[Marked] = []

    @property
    def rows(self) -> Rows[Variant]:
        """The list."""
        return self.query_one("#variants", Rows)

    @abstractmethod
    def draft(self) -> PromptDraft:
        """What lies on the screen."""

    @abstractmethod
    def show_variants(self, variants: list[Variant], cursor: int) -> None:
        """Shows other variations."""

    def action_keep(self) -> None:
        """Keeps the variation, and goes on."""
        self._say(Mark.KEPT)

    def action_drop(self) -> None:
        """Drops it, and goes on."""
        self._say(Mark.DROPPED)

    def action_clear(self) -> None:
        """Takes the mark away."""
        self._say(Mark.NONE, go_on=False)

    def action_undo(self) -> None:
        """Takes the last mark back; a variation that is no longer in the list comes back to it."""
        if not self._done:
            self.say("There is nothing to undo.")
        elif self._mark(self._done[-1].variant, self._done[-1].variant.mark):
            self._undone.append(self._done.pop())

    def action_redo(self) -> None:
        """Makes it again."""
        if not self._undone:
            self.say("There is nothing to redo.")
        elif self._mark(self._undone[-1].variant, self._undone[-1].mark):
            self._done.append(self._undone.pop())

    def _say(self, mark: Mark, go_on: bool = True) -> None:
        variant = self.rows.item
        if variant is None or not self._mark(variant, mark):
            return
        if variant.mark is not mark:
            self._done.append(Marked(variant, mark))
            self._undone.clear()
        if go_on:
            self.rows.cursor += 1

    def _mark(self, variant: Variant, mark: Mark) -> bool:
        """Marks a variation, saved before this returns, with the cursor on it; whether that could be."""
        project, negative = self.project, self.draft().negative
        at = _place(self._variants, variant)
        now = self._variants[at] if at is not None else variant
        new = self.try_show(lambda: marked(project, now, negative, mark))
        if new is None:
            return False
        at = len(self._variants) if at is None else at
        self.show_variants([*self._variants[:at], new, *self._variants[at + 1 :]], at)
        return True


def _place(variants: Iterable[Variant], wanted: Variant) -> int | None:
    """Where a variation is, whatever its mark; None where it is no longer."""
    told = replace(wanted, mark=Mark.NONE, id=None)
    return next((at for at, each in enumerate(variants) if replace(each, mark=Mark.NONE, id=None) == told), None)
