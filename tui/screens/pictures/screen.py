"""Screen 6: what was painted, newest first, and what waits. One key a verdict, saved before the next is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.timer import Timer

from engine.errors import LimnerError
from engine.pictures.gallery.ratings import Action, Ratings
from engine.pictures.gallery.rows import Gallery, Shown
from engine.pictures.orders.picture import Picture, PictureState
from engine.pictures.orders.queue import Queue
from tui.actions import Action as KeyAction
from tui.actions import Scope, verbs_of
from tui.screens.pictures import commands
from tui.screens.pictures.dialogs import Stars
from tui.screens.pictures.queue import PicturesQueue
from tui.screens.pictures.view import as_shown
from tui.theming.bindings import bindings_for
from tui.widgets.filter_line import FilterLine
from tui.widgets.text_line import TextLine
from tui.widgets.thumbnails.cache import ThumbnailCache

if TYPE_CHECKING:
    from engine.pictures.gallery.import_external import Found

POLL_SECONDS = 0.5
"""How often the queue, and what is forming, is looked at while the screen is shown."""

OF_A_PICTURE = frozenset(
    {"view", "favourite", "reject", "more_stars", "fewer_stars", "rate", "mark", "compare", "another", "more"}
    | {"prompt", "settings", "parameters", "copy", "face_fix", "next_open", "previous_open"}
)
"""Actions that need a picture under the cursor."""

OF_THE_QUEUE = frozenset({"earlier", "later", "next"})


class PicturesScreen(PicturesQueue):
    """Everything painted, what is said of it, and the painter's queue."""

    SCOPE = Scope.PICTURES
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings_for(Scope.PICTURES)
    QUESTION = "Painted pictures"

    def __init__(self) -> None:
        super().__init__()
        self._version: int | None = None
        self._timer: Timer | None = None
        self._said = 0

    def shown(self) -> None:
        """Looks at what changed, now and while the screen is shown; and for pictures dropped into the folder."""
        self.reread()
        self._look_around()
        if self._timer is None:
            self._timer = self.set_interval(POLL_SECONDS, self._tick)
        self._timer.resume()

    def on_screen_suspend(self) -> None:
        """Nobody looks."""
        if self._timer is not None:
            self._timer.pause()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that have nothing to act on are not offered; in a field a letter is a letter."""
        if action == "filter":
            # While they are still being read, too: what is typed behind a slash must not be done to them.
            unread = not self.was_read and self.limner.project is not None
            return (bool(self._all) or unread) and not isinstance(self.focused, TextLine)
        if not self._all and not self._waiting:
            # Before there is anything, and before the widgets are there that are asked below.
            return action not in verbs_of(Scope.PICTURES)
        if action in OF_THE_QUEUE or action == "queue":
            return bool(self._waiting) and (self.in_queue or action == "queue")
        if action == "cancel":
            return bool(self.cancellable())
        if action == "retry":
            return any(picture.state in (PictureState.FAILED, PictureState.CANCELLED) for picture in self.targets())
        if action == "unmark":
            return bool(self._marked) or self.in_queue
        return self.grid.item is not None and not self.in_queue if action in OF_A_PICTURE else True

    def label_of(self, action: KeyAction) -> str:
        """Of two lists with a cursor each, the one whose picture would be cancelled is named."""
        if action.id == "pictures.cancel":
            return "cancel queued" if self.in_queue else "cancel forming"
        return super().label_of(action)

    def action_favourite(self) -> None:
        """Makes them favourites; where all are, takes that back."""
        targets = self.targets()
        yes = not all(picture.favourite for picture in targets)
        self._judge(lambda verdicts: verdicts.favourite([each.id for each in targets], yes))

    def action_reject(self) -> None:
        """Rejects them; where all are, takes that back."""
        targets = self.targets()
        yes = not all(picture.rejected for picture in targets)
        self._judge(lambda verdicts: verdicts.reject([each.id for each in targets], yes))

    def action_more_stars(self) -> None:
        """One star more."""
        self._judge(lambda verdicts: verdicts.rate_by([each.id for each in self.targets()], 1))

    def action_fewer_stars(self) -> None:
        """One star fewer; with none it is not rated."""
        self._judge(lambda verdicts: verdicts.rate_by([each.id for each in self.targets()], -1))

    def action_rate(self) -> None:
        """Waits for the number of stars."""

        def rated(stars: int | None) -> None:
            if stars is not None:
                self._judge(lambda verdicts: verdicts.rate([each.id for each in self.targets()], stars))

        self.app.push_screen(Stars(max((each.rating for each in self.targets()), default=0)), rated)

    def action_undo(self) -> None:
        """Takes the last verdict back."""
        self._turn(lambda verdicts: verdicts.undo(), "undo", "Undid")

    def action_redo(self) -> None:
        """Does it again."""
        self._turn(lambda verdicts: verdicts.redo(), "redo", "Redid")

    def action_mark(self) -> None:
        """Marks the picture, or takes its mark away, and goes on."""
        picture = self.grid.item
        if picture is not None:
            self._marked ^= {picture.id}
            self.grid.redraw(self.grid.cursor)
            self.grid.cursor += 1
            self.ask()
            self.keys_changed()

    def action_unmark(self) -> None:
        """Takes all marks away; in the queue, goes back to the pictures."""
        if self.in_queue:
            self.focus_list()
        elif self._marked:
            self._marked.clear()
            self.grid.show(self.grid.items)
            self.ask()
            self.keys_changed()

    def action_filter(self) -> None:
        """Into the filter line."""
        self.set_focus(self.query_one("#filter"))

    def action_compare(self) -> None:
        """Two or four side by side: those that are marked, else from the one under the cursor on."""
        from tui.screens.pictures.compare import PicturesCompare

        def done(number: int | None) -> None:
            place = self._place(number)
            if place is not None:
                self.grid.cursor = place

        pictures = [picture for picture in self.grid.items if picture.painted and not picture.gone]
        marked = [picture for picture in pictures if picture.id in self._marked]
        if len(marked) == 1:
            self.say("Mark two to four, or none.")
        elif marked or pictures:
            at = self.grid.item
            here = pictures.index(at) if at in pictures else 0
            # The last one has the one before it beside it.
            first = max(0, min(here, len(pictures) - 2))
            chosen = marked[: PicturesCompare.MOST] or pictures[first : first + 2]
            self.app.push_screen(PicturesCompare(pictures, chosen, self._judge, self._now, self.subject), done)

    def action_next_open(self) -> None:
        """Next unrated picture."""
        commands.go_to_open(self)

    def action_previous_open(self) -> None:
        """To the one before."""
        commands.go_to_open(self, backwards=True)

    def action_another(self) -> None:
        """Orders the same with another seed."""
        commands.paint_more(self, 1)

    def action_more(self) -> None:
        """Asks how many."""
        commands.ask_how_many(self)

    def action_face_fix(self) -> None:
        """Has the faces painted anew, as a picture of its own."""
        commands.fix_faces(self)

    def action_prompt(self) -> None:
        """Takes the prompt to the Prompts screen."""
        commands.to_prompts(self)

    def action_settings(self) -> None:
        """Takes the prompt there, and how it was painted into the settings."""
        commands.settings_to_prompts(self)

    def action_parameters(self) -> None:
        """Shows what the file says."""
        commands.show_parameters(self)

    def action_copy(self) -> None:
        """Copies it."""
        commands.copy_parameters(self)

    def action_export(self) -> None:
        """Asks for the folder."""
        commands.export(self)

    def action_ranking(self) -> None:
        """What was liked best."""
        from tui.screens.pictures.ranking import PicturesRanking

        def chosen(line: str | None) -> None:
            if line is not None:
                self.query_one("#filter", FilterLine).value = line

        self.app.push_screen(PicturesRanking(self.project, list(self._all)), chosen)

    def action_retry(self) -> None:
        """Queues failed and cancelled ones again."""
        commands.retry(self)

    @on(TextLine.Changed, "#filter")
    def _typed(self) -> None:
        # Before they are read there is nothing to filter, and an empty screen has no line to type into.
        if self.was_read:
            self.select()

    @on(TextLine.Submitted, "#filter")
    def _filtered(self) -> None:
        if self._filter_error is not None:
            # Over the pictures there is room for its beginning only.
            self.show_error(self._filter_error)
        self.focus_list()

    def select(self) -> None:
        """Filters: some milliseconds for ten thousand pictures, so that every key shows its count at once."""
        from engine.filter_line import FilterError
        from engine.pictures.gallery.filter import filter_pictures, read_picture_filter

        line = self.query_one("#filter", FilterLine)
        try:
            found, self._hints = filter_pictures(line.value, self._all, self._checkpoints)
        except FilterError as error:
            self._filter_error = error
            line.point_at(error.start, error.end)
            self.ask()
            return
        self._filter_error, self._found = None, sum(picture.painted for picture in found)
        line.point_at(0, 0)
        if not self._hints:
            understood = read_picture_filter(line.value)
            if understood.sort == "newest" and not understood.backwards:
                found = [*understood(self._being_painted()), *found]
        before, was_first = self.grid.item, self.grid.cursor == 0
        self.grid.show(found, self._cursor(found, before, was_first))
        self.show_empty(None if self._all or self._waiting else self.EMPTY)
        self.keys_changed()
        self.ask()

    def _cursor(self, found: Sequence[Shown], before: Shown | None, was_first: bool) -> int:
        """Whoever looks at the newest goes on looking at the newest; another picture stays under the cursor."""
        if not found:
            return 0
        wanted = self._left_on if self._left_on is not None else before.id if before is not None else None
        if wanted is None or (was_first and self._left_on is None and before not in found[1:]):
            return 0
        self._left_on = None
        return next((at for at, picture in enumerate(found) if picture.id == wanted), self.grid.cursor)

    def _being_painted(self) -> list[Shown]:
        """Those that are forming, which are the first tiles."""
        there = {picture.id for picture in self._all}
        painting = [picture for picture in self._waiting if picture.state is PictureState.PAINTING]
        return [as_shown(picture) for picture in painting if picture.id not in there]

    def _judge(self, say: Callable[[Ratings], Action]) -> bool:
        """Says something of pictures, saved before this returns; whether it could be said."""
        action = self.try_show(lambda: say(Ratings(self.store)))
        if action is None:
            return False
        self._take_in(action.pictures)
        return True

    def _turn(self, turn: Callable[[Ratings], Action | None], word: str, done: str) -> None:
        try:
            action = turn(Ratings(self.store))
        except LimnerError as error:
            self.show_error(error)
            return
        if action is None:
            self.say(f"There is nothing to {word}.")
            return
        self._take_in(action.pictures)
        place = self._place(action.pictures[0]) if action.pictures else None
        if place is not None:
            self.grid.cursor = place
        self.say(f"{done}: {action.label}")

    def _take_in(self, numbers: Sequence[int]) -> None:
        """Takes what is said of some pictures from the database into what is shown."""
        self._said += 1
        now = {picture.id: picture for picture in Gallery(self.store).some(list(numbers))}
        self._all = [now.get(picture.id, picture) for picture in self._all]
        at, item = self.grid.cursor, self.grid.item
        if len(now) == 1 and item is not None and item.id in now and not self._leaves(now[item.id]):
            # The picture stays where it is, so its tile alone is drawn anew.
            self.grid.items = [now.get(picture.id, picture) for picture in self.grid.items]
            self.grid.redraw(at)
            self.ask()
        else:
            self.select()
        self.show_picture()

    def _leaves(self, picture: Shown) -> bool:
        """Whether the filter shows it no longer, or elsewhere."""
        from engine.pictures.gallery.filter import read_picture_filter

        line = self.query_one("#filter", FilterLine).value
        if self._filter_error or "sort:" in line:
            return True
        return not read_picture_filter(line)([picture])

    def _now(self, number: int) -> Shown:
        return Gallery(self.store).picture(number)

    def _place(self, number: int | None) -> int | None:
        return next((at for at, picture in enumerate(self.grid.items) if picture.id == number), None)

    def _tick(self) -> None:
        """Reads anew where something else changed the project; looks at what is forming."""
        if self.limner.project is None:
            return
        if self.store.version() != self._version:
            self.reread()
        elif any(picture.state is PictureState.PAINTING for picture in self._waiting):
            self.look_at_forming()

    def reread(self) -> None:
        """Reads all in a thread: something was ordered, moved or said."""
        project, said = self.project, self._said
        self._version = self.store.version()

        def took(found: tuple[list[Shown], list[Picture]]) -> None:
            # A look that began before the last verdict would bring back what was before it.
            if said != self._said:
                self.reread()
                return
            self._take(found)
            if found[1]:
                # Apart from reading: where no painter can be started, what was painted is shown all the same.
                self.run_latest("paints", lambda: self.see_that_it_paints(project), lambda _: None)

        def read() -> tuple[list[Shown], list[Picture]]:
            with project.store() as store:
                pictures, waiting = Gallery(store).pictures(), Queue(store).waiting_pictures()
            return pictures, waiting

        self.run_latest("read", read, took, self.could_not_read)

    def _take(self, found: tuple[list[Shown], list[Picture]]) -> None:
        if not self._all:
            # Once, and after what is looked at: the folder of thumbnails is held to its size.
            self.run_latest("sweep", ThumbnailCache(self.project.cache).sweep, lambda _: None)
        pictures, waiting = found
        if pictures == self._all and waiting == self._waiting and pictures:
            return
        self.know(pictures)
        self._marked &= {picture.id for picture in pictures}
        self.show_queue(waiting)
        self.select()

    def _look_around(self) -> None:
        """Takes in what was dropped into the folder; the next look at the database shows it."""
        project = self.project

        def look() -> Found:
            from engine.pictures.gallery.import_external import look_for_pictures

            with project.store() as store:
                return look_for_pictures(project, store)

        def found(found: Found) -> None:
            if found.new:
                self.say(f"{found.new:,} found that {'was' if found.new == 1 else 'were'} made elsewhere.")
            if found.changed:
                self.reread()

        self.run_latest("around", look, found)
