"""Two or four pictures side by side: which one is better."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Grid, Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.pictures.gallery import Shown
from engine.pictures.verdicts import Action, Verdicts
from tui.screens.pictures_lines import picture_facts
from tui.widgets.ink import Ink, Line, content_of, title_of
from tui.widgets.portrait import Portrait, Subject

KEYS: Line = [
    *(("hjkl", Ink.ACTIVE), (" side  ", Ink.MUTED), ("np", Ink.ACTIVE), (" another  ", Ink.MUTED)),
    *(("2 4", Ink.ACTIVE), (" how many  ", Ink.MUTED), ("+ -", Ink.ACTIVE), (" star  ", Ink.MUTED)),
    *(("f", Ink.ACTIVE), (" favourite  ", Ink.MUTED), ("x", Ink.ACTIVE), (" reject  ", Ink.MUTED)),
    *(("esc", Ink.ACTIVE), (" back", Ink.MUTED)),
]


class PicturesCompare(ModalScreen[int | None]):
    """Shows two to four pictures; verdicts are of the one that is framed. Closes with its number.

    Args:
        pictures: the list that they are taken from.
        chosen: those to begin with, two to four of them.
        judge: says something, saved before it returns.
        now: a picture by its number, as it is saved.
        subject: what is seen of a picture.
    """

    MOST = 4
    CSS_PATH = "pictures_compare.tcss"
    BINDINGS = [
        ("h,left", "side(-1, 0)", "Left"),
        ("l,right", "side(1, 0)", "Right"),
        ("k,up", "side(0, -1)", "Up"),
        ("j,down", "side(0, 1)", "Down"),
        ("tab", "other(1)", "Next side"),
        ("shift+tab", "other(-1)", "Side before"),
        ("n,space", "move(1)", "Another picture here"),
        ("p", "move(-1)", "The one before"),
        ("2", "show_many(2)", "Two"),
        ("4", "show_many(4)", "Four"),
        ("plus,right_square_bracket", "star(1)", "Star"),
        ("minus,left_square_bracket", "star(-1)", "Star fewer"),
        ("f", "favourite", "Favourite"),
        ("x", "reject", "Reject"),
        ("escape,q,v,enter", "leave", "Back"),
    ]

    def __init__(
        self,
        pictures: Sequence[Shown],
        chosen: Sequence[Shown],
        judge: Callable[[Callable[[Verdicts], Action]], bool],
        now: Callable[[int], Shown],
        subject: Callable[[Shown], Subject | None],
    ) -> None:
        super().__init__()
        self._pictures = [*pictures]
        self._places = [self._pictures.index(each) for each in chosen]
        self._here = 0
        self._judge = judge
        self._now = now
        self._subject = subject

    def compose(self) -> ComposeResult:
        """Four panes, of which some are shown, and the keys."""
        with Grid():
            for side in range(self.MOST):
                with Vertical(id=f"side-{side}", classes="pane"):
                    yield Portrait()
                    yield Static(classes="facts")
        yield Static(content_of(KEYS), id="keys")

    def on_mount(self) -> None:
        """Shows them."""
        self._show()

    def action_side(self, across: int, down: int) -> None:
        """The neighbouring pane."""
        many = len(self._places)
        column, row = (self._here % 2 + across, self._here // 2 + down)
        if many > 2 and 0 <= column < 2 and 0 <= row < 2 and row * 2 + column < many:
            self._here = row * 2 + column
        elif many <= 2:
            self._here = max(0, min(many - 1, self._here + across + down))
        self._show()

    def action_other(self, by: int) -> None:
        """The next pane, round the end."""
        self._here = (self._here + by) % len(self._places)
        self._show()

    def action_move(self, by: int) -> None:
        """Another picture in this pane; those in the others are passed over."""
        place = self._places[self._here] + by
        while place in self._places:
            place += by
        if 0 <= place < len(self._pictures):
            self._places[self._here] = place
            self._show()

    def action_show_many(self, many: int) -> None:
        """Two, or four: the pictures that follow come in, or the framed one and its neighbour stay."""
        if many < len(self._places):
            first = min(self._here, len(self._places) - many)
            self._here -= first
            self._places = self._places[first : first + many]
        following = iter(range(len(self._pictures)))
        after = [at for at in following if at > self._places[-1]] + [*range(self._places[-1])]
        while len(self._places) < many and (free := [at for at in after if at not in self._places]):
            self._places.append(free[0])
        self._show()

    def action_star(self, by: int) -> None:
        """A star more or fewer."""
        self._say(lambda picture, verdicts: verdicts.rate_by([picture.id], by))

    def action_favourite(self) -> None:
        """A favourite, or not any more."""
        self._say(lambda picture, verdicts: verdicts.favourite([picture.id], not picture.favourite))

    def action_reject(self) -> None:
        """Rejected, or not any more."""
        self._say(lambda picture, verdicts: verdicts.reject([picture.id], not picture.rejected))

    def action_leave(self) -> None:
        """Back to the thumbnails, to the picture of this pane."""
        self.dismiss(self._pictures[self._places[self._here]].id)

    def _say(self, say: Callable[[Shown, Verdicts], Action]) -> None:
        place = self._places[self._here]
        picture = self._pictures[place]
        if self._judge(lambda verdicts: say(picture, verdicts)):
            self._pictures[place] = self._now(picture.id)
        self._show()

    def _show(self) -> None:
        many = len(self._places)
        self.set_class(many > 2, "-four")
        for side in range(self.MOST):
            pane = self.query_one(f"#side-{side}")
            pane.display = side < many
            if side >= many:
                continue
            picture, here = self._pictures[self._places[side]], side == self._here
            pane.set_class(here, "-here")
            pane.border_title = title_of(f"{'▸ ' if here else ''}{picture.name}")
            subject = self._subject(picture)
            pane.query_one(Portrait).show(subject, words=[("no picture", Ink.MUTED)] if subject is None else None)
            pane.query_one(".facts", Static).update(content_of(*picture_facts(picture)[: 2 if many > 2 else 4]))
