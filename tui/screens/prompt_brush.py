"""What paints the prompts: how many pictures of each, and how much of the LoRA."""

from __future__ import annotations

from dataclasses import replace

from tui.remembered import Left
from tui.screens.prompt_lines import Brush, brush_line
from tui.screens.prompt_marks import MarkingVariations
from tui.screens.prompt_work import Surroundings
from tui.widgets.ink import Line

MOST_SEEDS = 64


class ChoosingTheBrush(MarkingVariations):
    """The part of the screen that says how it is painted; it stands at the right of the question."""

    def __init__(self) -> None:
        super().__init__()
        self._brush = Brush()
        self._around: Surroundings | None = None

    def left_as(self) -> Left:
        """And how many pictures of each; the strength stands in the settings."""
        return {**super().left_as(), "seeds": self._brush.seeds}

    def come_back(self, left: Left) -> None:
        """Takes it up again."""
        super().come_back(left)
        seeds = left.get("seeds")
        if isinstance(seeds, int) and not isinstance(seeds, bool):
            self._brush = replace(self._brush, seeds=min(MOST_SEEDS, max(1, seeds)))

    def status(self) -> Line:
        """What painting will use."""
        return brush_line(self._brush, known=self._around is not None)

    def action_more_seeds(self) -> None:
        """One picture more of each."""
        self._take(min(MOST_SEEDS, self._brush.seeds + 1))

    def action_fewer_seeds(self) -> None:
        """One picture fewer of each."""
        self._take(max(1, self._brush.seeds - 1))

    def action_stronger(self) -> None:
        """More of the LoRA."""
        self._strengthen(0.05)

    def action_weaker(self) -> None:
        """Less of the LoRA."""
        self._strengthen(-0.05)

    def _take(self, seeds: int) -> None:
        self._brush = replace(self._brush, seeds=seeds)
        self.ask()

    def _strengthen(self, by: float) -> None:
        strength = round(min(4.0, max(-4.0, self._brush.strength + by)), 2)
        if self.attempt(lambda: self.project.change({"painting.strength": strength})) is not None:
            self._brush = replace(self._brush, strength=strength)
            self.ask()
