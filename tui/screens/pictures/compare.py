"""Two or four pictures side by side: which one is better."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Grid, Vertical
from textual.widgets import Static

from engine.pictures.gallery.ratings import Action, Ratings
from engine.pictures.gallery.rows import Shown
from tui.actions import Scope
from tui.actions.overlays import JUDGING_PICTURES
from tui.screens.pictures.text import picture_facts
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.widgets.ink import Ink, content_of, title_of
from tui.widgets.portrait import Portrait, Subject

ACROSS = 2
"""How many stand beside each other."""

KEYS = (
    "{compare.left} {compare.right} side  {compare.next} {compare.previous} next  {compare.four} four  "
    "{pictures.more_stars} {pictures.fewer_stars} star  {pictures.favourite} favourite  {pictures.reject} reject  "
    "{pictures.undo} undo  {compare.leave} back"
)


class PicturesCompare(Overlay[int | None]):
    """Shows two to four pictures; verdicts are of the one that is framed, by the keys of the thumbnails.

    Closes with its number.

    Args:
        pictures: the list that they are taken from.
        chosen: those to begin with, two to four of them.
        judge: says something, saved before it returns.
        now: a picture by its number, as it is saved.
        subject: what is seen of a picture.
    """

    MOST = 4
    CSS_PATH = "compare.tcss"
    SCOPES = (Scope.COMPARE,)
    ALSO = JUDGING_PICTURES
    BINDINGS = overlay_bindings(Scope.COMPARE, also=JUDGING_PICTURES)

    def __init__(
        self,
        pictures: Sequence[Shown],
        chosen: Sequence[Shown],
        judge: Callable[[Callable[[Ratings], Action]], bool],
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
        yield Hints(KEYS, id="keys")

    def on_mount(self) -> None:
        """Shows them."""
        self._show()

    def action_left(self) -> None:
        """The pane at the left."""
        self._go(-1, 0)

    def action_right(self) -> None:
        """The pane at the right."""
        self._go(1, 0)

    def action_down(self) -> None:
        """The pane below; where all stand in one row, another picture."""
        if len(self._places) > ACROSS:
            self._go(0, 1)
        else:
            self._move(1)

    def action_up(self) -> None:
        """The pane above; where all stand in one row, the picture before."""
        if len(self._places) > ACROSS:
            self._go(0, -1)
        else:
            self._move(-1)

    def action_other(self) -> None:
        """The next pane, round the end."""
        self._go_to((self._here + 1) % len(self._places))

    def action_other_back(self) -> None:
        """The pane before."""
        self._go_to((self._here - 1) % len(self._places))

    def action_next(self) -> None:
        """Another picture in this pane."""
        self._move(1)

    def action_previous(self) -> None:
        """The one before."""
        self._move(-1)

    def action_two(self) -> None:
        """Two of them: the framed one and its neighbour stay."""
        self._show_many(2)

    def action_four(self) -> None:
        """Four: the pictures that follow come in."""
        self._show_many(4)

    def action_more_stars(self) -> None:
        """A star more."""
        self._say(lambda picture, verdicts: verdicts.rate_by([picture.id], 1))

    def action_fewer_stars(self) -> None:
        """A star fewer."""
        self._say(lambda picture, verdicts: verdicts.rate_by([picture.id], -1))

    def action_favourite(self) -> None:
        """Toggles favourite."""
        self._say(lambda picture, verdicts: verdicts.favourite([picture.id], not picture.favourite))

    def action_reject(self) -> None:
        """Toggles rejected."""
        self._say(lambda picture, verdicts: verdicts.reject([picture.id], not picture.rejected))

    def action_choose(self) -> None:
        """This one is a favourite, what is beside it is rejected."""
        here = self._places[self._here]
        others = [self._pictures[place].id for place in self._places if place != here]
        self._say(lambda picture, verdicts: verdicts.favourite([picture.id]))
        self._say(lambda _, verdicts: verdicts.reject(others))

    def action_undo(self) -> None:
        """Takes the last verdict back, whatever picture it was of."""
        self._turn(lambda verdicts: verdicts.undo(), "Undid", "There is nothing to undo.")

    def action_redo(self) -> None:
        """Says it again."""
        self._turn(lambda verdicts: verdicts.redo(), "Redid", "There is nothing to redo.")

    def action_leave(self) -> None:
        """Back to the thumbnails, to the picture of this pane."""
        self.dismiss(self._pictures[self._places[self._here]].id)

    def _go(self, across: int, down: int) -> None:
        """The neighbouring pane, as far as there is one."""
        column, row = self._here % ACROSS + across, self._here // ACROSS + down
        there = row * ACROSS + column
        if 0 <= column < ACROSS and row >= 0 and there < len(self._places):
            self._go_to(there)

    def _go_to(self, side: int) -> None:
        self._here = side
        self._show()

    def _move(self, by: int) -> None:
        """Another picture in this pane; those in the others are passed over."""
        place = self._places[self._here] + by
        while place in self._places:
            place += by
        if 0 <= place < len(self._pictures):
            self._places[self._here] = place
            self._show()

    def _show_many(self, many: int) -> None:
        if many < len(self._places):
            first = min(self._here, len(self._places) - many)
            self._here -= first
            self._places = self._places[first : first + many]
        following = iter(range(len(self._pictures)))
        after = [at for at in following if at > self._places[-1]] + [*range(self._places[-1])]
        while len(self._places) < many and (free := [at for at in after if at not in self._places]):
            self._places.append(free[0])
        self._show()

    def _say(self, say: Callable[[Shown, Ratings], Action]) -> None:
        picture = self._pictures[self._places[self._here]]
        if self._judge(lambda verdicts: say(picture, verdicts)):
            self._read_again([self._pictures[place].id for place in self._places])

    def _turn(self, turn: Callable[[Ratings], Action | None], done: str, nothing: str) -> None:
        turned: list[Action | None] = []

        def say(verdicts: Ratings) -> Action:
            turned.append(turn(verdicts))
            return turned[0] or Action("", ())

        if self._judge(say):
            action = turned[0]
            self.notify(nothing if action is None else f"{done}: {action.label}", timeout=3, markup=False)
            self._read_again(action.pictures if action is not None else ())

    def _read_again(self, numbers: Sequence[int]) -> None:
        """Takes up what is said of some pictures now."""
        self._pictures = [self._now(each.id) if each.id in numbers else each for each in self._pictures]
        self._show()

    def _show(self) -> None:
        many = len(self._places)
        self.set_class(many > ACROSS, "-four")
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
            pane.query_one(".facts", Static).update(content_of(*picture_facts(picture)[: 2 if many > ACROSS else 4]))
