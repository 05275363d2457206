"""Rank checkpoints and prompts by ratings, beside how like the person their pictures are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from engine.pictures.gallery.rows import Shown
from tui.actions import Scope
from tui.screens.pictures.text import likeness_piece
from tui.screens.shared.overlay import Overlay, overlay_bindings
from tui.theming.keymap import keyed
from tui.widgets.ink import Ink, Line, content_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from engine.pictures.gallery.votes import Ranked
    from engine.project import Project


class PicturesRanking(Overlay[str | None]):
    """Checkpoints, or prompts, best first. Closes with the filter line that shows the one chosen.

    Args:
        project: the project.
        pictures: all of them.
    """

    CSS_PATH = "ranking.tcss"
    SCOPES = (Scope.CHOICE,)
    BINDINGS = overlay_bindings(Scope.CHOICE)

    def __init__(self, project: Project, pictures: Sequence[Shown]) -> None:
        super().__init__()
        self._project = project
        self._prompts = False
        self._likeness: dict[tuple[str | None, float | None, str | None], list[float]] = defaultdict(list)
        for picture in pictures:
            if picture.likeness is not None:
                self._likeness[picture.lora, picture.strength, None].append(picture.likeness)
                self._likeness[None, None, picture.prompt].append(picture.likeness)

    def compose(self) -> ComposeResult:
        """The list and the keys."""
        with Vertical() as box:
            box.border_subtitle = self.keyed(
                "{choice.turn} checkpoints or prompts · {choice.take} show its pictures · {choice.leave} close"
            )
            yield Static(id="head")
            yield Rows["Ranked"](self._line)

    def on_mount(self) -> None:
        """Fills the list."""
        self._show()

    def action_turn(self) -> None:
        """The other list."""
        self._prompts = not self._prompts
        self._show()

    @on(Rows.Chosen)
    def action_take(self) -> None:
        """Closes with what shows these pictures."""
        ranked = self.query_one(Rows).item
        self.dismiss(_line_for(ranked) if ranked is not None else None)

    def action_leave(self) -> None:
        """Closes."""
        self.dismiss(None)

    def _show(self) -> None:
        from engine.pictures.gallery.votes import Ranking, Votes

        by = Ranking.PROMPT if self._prompts else Ranking.CHECKPOINT
        with self._project.store() as store:
            found = Votes(store).ranking(by)
        what = "Prompts" if self._prompts else "Checkpoints"
        self.query_one(Vertical).border_title = f"{what}, best first"
        head = f" {'sure':>5} {'liked':>6} {'of':>5} {'likeness':>9}  {what.lower()[:-1]}"
        say_it = keyed("{pictures.favourite}, {pictures.reject} and {pictures.more_stars} say it", self.keymap)
        nothing: Line = [(f"No pictures are rated yet: {say_it}.", Ink.MUTED)]
        self.query_one("#head", Static).update(content_of([(head, Ink.MUTED)] if found else nothing))
        self.query_one(Rows).show(found, 0)

    def _line(self, ranked: Ranked, width: int) -> Line:
        measured = self._likeness.get((ranked.checkpoint, ranked.strength, ranked.prompt))
        likeness, ink = likeness_piece(median(measured)) if measured else ("–", Ink.FAINT)
        return [
            (f"{ranked.score:>5.0%} ", Ink.STRONG),
            (f"{ranked.share:>6.0%} ", Ink.PLAIN),
            (f"{ranked.votes:>5,} ", Ink.MUTED),
            (f"{likeness:>9}  ", ink),
            (ranked.label, Ink.PLAIN),
        ]


def _line_for(ranked: Ranked) -> str:
    """The filter line that shows a checkpoint's pictures at that strength, or a prompt's."""
    if ranked.prompt is not None:
        return f'prompt="{ranked.prompt}"' if '"' not in ranked.prompt else ""
    if ranked.checkpoint is None:
        return "lora=base"
    name = ranked.checkpoint.rpartition("/")[2].removesuffix(".safetensors")
    return f"lora={name} strength:{ranked.strength:g}"
