"""What paints the prompts: how many pictures of each, and how much of the LoRA."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.pictures.gallery.lora_choice import LoraChoice, lora_choices
from tui.app.session_state import Left
from tui.screens.prompts.marks import MarkingVariations
from tui.screens.prompts.text import PromptParams, params_line
from tui.screens.prompts.work import Surroundings
from tui.screens.shared.lora_picker import LoraPicker, Newest
from tui.widgets.ink import Line
from tui.widgets.text_line import TextLine

MOST_SEEDS = 64


class ChoosingTheBrush(MarkingVariations):
    """The part of the screen that says how it is painted; it stands at the right of the question."""

    def __init__(self) -> None:
        super().__init__()
        self._params = PromptParams()
        self._around: Surroundings | None = None

    def save_state(self) -> Left:
        """And how many pictures of each, and the LoRA that was chosen; the usual strength stands in the settings."""
        chosen = self._params.chosen
        lora = {"file": str(chosen.file or ""), "strength": chosen.strength} if chosen is not None else None
        return {**super().save_state(), "seeds": self._params.seeds, "lora": lora}

    def restore_state(self, left: Left) -> None:
        """Takes it up again."""
        super().restore_state(left)
        seeds = left.get("seeds")
        if isinstance(seeds, int) and not isinstance(seeds, bool):
            self._params = replace(self._params, seeds=min(MOST_SEEDS, max(1, seeds)))
        match left.get("lora"):
            case {"file": str(file), "strength": strength} if not file or Path(file).is_file():
                at = float(strength) if isinstance(strength, int | float) else None
                self.paint_with(LoraChoice(Path(file) if file else None, strength=at))

    def status(self) -> Line:
        """What painting will use."""
        return params_line(self._params, known=self._around is not None)

    def paint_with(self, chosen: LoraChoice | None) -> None:
        """From now on pictures are painted with this; None: with the newest checkpoint."""
        strength = self._params.strength if chosen is None or chosen.strength is None else chosen.strength
        checkpoint = self._around.checkpoint if chosen is None and self._around is not None else None
        self._params = replace(
            self._params,
            chosen=chosen,
            checkpoint=chosen.file if chosen is not None else checkpoint,
            strength=strength,
        )
        self.ask()

    def action_lora(self) -> None:
        """Lists the checkpoints with their likeness; the one chosen is painted with."""
        project = self.project

        def show(choices: list[LoraChoice]) -> None:
            self.app.push_screen(LoraPicker(choices, self._params.chosen or Newest(), self._add_to_prompt), taken)

        def taken(row: LoraChoice | Newest | None) -> None:
            if row is not None:
                self.paint_with(row if isinstance(row, LoraChoice) else None)

        self.run_latest("loras", lambda: lora_choices(project), show)

    def _add_to_prompt(self, lora: LoraChoice) -> None:
        """Writes a tag into the prompt: a prompt may name several."""
        strength = self._params.strength if lora.strength is None else lora.strength
        field = self.query_one("#prompt", TextLine)
        field.value = f"{field.value} <lora:{lora.run}/{lora.name}:{strength:g}>".strip()

    def action_more_seeds(self) -> None:
        """One picture more of each."""
        self._take(min(MOST_SEEDS, self._params.seeds + 1))

    def action_fewer_seeds(self) -> None:
        """One picture fewer of each."""
        self._take(max(1, self._params.seeds - 1))

    def action_stronger(self) -> None:
        """Raise the LoRA weight."""
        self._strengthen(0.05)

    def action_weaker(self) -> None:
        """Lower the LoRA weight."""
        self._strengthen(-0.05)

    def _take(self, seeds: int) -> None:
        self._params = replace(self._params, seeds=seeds)
        self.ask()

    def _strengthen(self, by: float) -> None:
        strength = round(min(4.0, max(-4.0, self._params.strength + by)), 2)
        if self.try_show(lambda: self.project.change({"painting.strength": strength})) is not None:
            self._params = replace(self._params, strength=strength)
            self.ask()
