"""Who was liked best: checkpoints and prompts by votes, over the screen that asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from engine.pictures.gallery.votes import Ranked, Ranking
from tui.actions import Scope
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.widgets.ink import Ink, Line, content_of
from tui.widgets.rows import Rows

RANKED_HEAD = f" {'score':>6}{'for':>7} of {'votes':<5}{'likeness':>10}"
"""What stands over the rows of a ranking, the cursor's column first."""

TITLES = {Ranking.CHECKPOINT: "Checkpoints by votes", Ranking.PROMPT: "Prompts by votes"}


class RankingScreen(Overlay[None]):
    """Shows one ranking; a key goes to the other.

    Args:
        rankings: what was voted on, best first.
    """

    CSS_PATH = "ranking.tcss"
    SCOPES = (Scope.CHOICE,)
    BINDINGS = overlay_bindings(Scope.CHOICE)

    def __init__(self, rankings: Mapping[Ranking, Sequence[Ranked]]) -> None:
        super().__init__()
        self._rankings = rankings
        self._shown = Ranking.CHECKPOINT

    def compose(self) -> ComposeResult:
        """A heading, the list, the keys."""
        with Vertical():
            yield Static(content_of([(RANKED_HEAD, Ink.MUTED)]), id="head")
            yield Rows[Ranked](_ranked_line)
            yield Hints("{choice.turn} checkpoints or prompts   {choice.leave} back")

    def on_mount(self) -> None:
        """Fills the list."""
        self._show()

    def action_turn(self) -> None:
        """Checkpoints, or prompts."""
        self._shown = Ranking.PROMPT if self._shown is Ranking.CHECKPOINT else Ranking.CHECKPOINT
        self._show()

    def action_take(self) -> None:
        """There is nothing to take: back, as those press who have read it."""
        self.dismiss(None)

    def action_leave(self) -> None:
        """Closes."""
        self.dismiss(None)

    def _show(self) -> None:
        found = self._rankings[self._shown]
        self.query_one(Vertical).border_title = TITLES[self._shown]
        nobody = self.keyed("no votes yet: {plot.vote_for} and {plot.vote_against} vote")
        self.query_one(Vertical).border_subtitle = "" if found else nobody
        self.query_one(Rows).show(found, 0)
        self.query_one(Rows).focus()


def _ranked_line(ranked: Ranked, width: int) -> Line:  # noqa: ARG001
    """A checkpoint's or a prompt's row: its score, the votes, the likeness."""
    likeness = f"{ranked.likeness:.0f}" if ranked.likeness is not None else "–"
    return [
        (f"{ranked.score:>6.2f}", Ink.STRONG),
        (f"{ranked.share:>7.0%} of {ranked.votes:<5,}", Ink.MUTED),
        (f"{likeness:>10}  ", Ink.PLAIN),
        (ranked.label, Ink.PLAIN),
    ]
