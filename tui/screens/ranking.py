"""Who was liked best: checkpoints and prompts by votes, over the screen that asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.pictures.votes import Ranked, Ranking
from tui.screens.grid_lines import ranked_line
from tui.widgets.ink import Ink, content_of
from tui.widgets.rows import Rows

TITLES = {Ranking.CHECKPOINT: "checkpoints by votes", Ranking.PROMPT: "prompts by votes"}


class RankingScreen(ModalScreen[None]):
    """Shows one ranking; tab goes to the other.

    Args:
        rankings: what was voted on, best first.
    """

    CSS_PATH = "ranking.tcss"
    BINDINGS = [("escape,q,R,b,enter", "dismiss", "Close"), ("tab,shift+tab", "other", "The other")]

    def __init__(self, rankings: Mapping[Ranking, Sequence[Ranked]]) -> None:
        super().__init__()
        self._rankings = rankings
        self._shown = Ranking.CHECKPOINT

    def compose(self) -> ComposeResult:
        """A heading, the list, the keys."""
        with Vertical():
            yield Static(content_of([("score  votes for      like", Ink.MUTED)]), id="head")
            yield Rows[Ranked](ranked_line)
            keys = [("tab", Ink.ACTIVE), (" checkpoints or prompts   ", Ink.MUTED), ("esc", Ink.ACTIVE)]
            yield Static(content_of([*keys, (" back", Ink.MUTED)]))

    def on_mount(self) -> None:
        """Fills the list."""
        self._show()

    def action_other(self) -> None:
        """Checkpoints, or prompts."""
        self._shown = Ranking.PROMPT if self._shown is Ranking.CHECKPOINT else Ranking.CHECKPOINT
        self._show()

    async def action_dismiss(self, result: None = None) -> None:
        """Closes."""
        self.dismiss(None)

    def _show(self) -> None:
        found = self._rankings[self._shown]
        self.query_one(Vertical).border_title = TITLES[self._shown]
        self.query_one(Vertical).border_subtitle = "" if found else "nobody voted yet: + and - vote"
        self.query_one(Rows).show(found, 0)
        self.query_one(Rows).focus()
