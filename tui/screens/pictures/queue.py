"""What the Pictures screen does with the queue: cancel, reorder, look at what is forming, see that somebody paints."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from engine.pictures.orders.picture import Picture, PictureState
from engine.pictures.orders.queue import Move, Queue
from engine.storage.database import Store
from tui.screens.pictures.view import Forming, PicturesPanes

if TYPE_CHECKING:
    from engine.project import Project
    from tui.app.background.job_watcher import JobFollower

NOT_THERE = "{pictures.queue} goes to the queue; there, it acts on the picture under the cursor."


class PicturesQueue(PicturesPanes):
    """Acts on what waits and is being painted."""

    def __init__(self) -> None:
        super().__init__()
        self._store: Store | None = None
        self._follower: JobFollower | None = None
        self._wakes = 0

    @property
    def store(self) -> Store:
        """The database of the app's own thread; opened once, for a verdict must cost no more than its write."""
        if self._store is None:
            self._store = Store(self.project.root / "limner.db")
        return self._store

    def on_unmount(self) -> None:
        """Closes the database."""
        if self._store is not None:
            self._store.close()

    @abstractmethod
    def reread(self) -> None:
        """Reads all anew."""

    def action_queue(self) -> None:
        """To the queue, or back."""
        self.set_focus(self.grid if self.in_queue else self.queue)

    def action_cancel(self) -> None:
        """Takes a picture off the queue; the painter notices at its next step."""
        picture = self.cancellable()
        if picture is None:
            self.say(NOT_THERE)
        elif self.try_show(lambda: Queue(self.store).cancel(picture.id)):
            self.say("Cancelled; the filter is:cancelled shows it.")
            self.reread()

    def action_earlier(self) -> None:
        """Up in the queue."""
        self._move(Move.UP)

    def action_later(self) -> None:
        """Down in the queue."""
        self._move(Move.DOWN)

    def action_next(self) -> None:
        """To the top of the queue."""
        self._move(Move.TOP)

    def cancellable(self) -> Picture | None:
        """The queue's picture while keys act there, else one that is forming and under the cursor."""
        if self.in_queue:
            return self.queue.item
        at = self.grid.item
        forming = at is not None and at.state == PictureState.PAINTING
        return next((picture for picture in self._waiting if forming and at and picture.id == at.id), None)

    def _move(self, where: Move) -> None:
        picture = self.queue.item
        if picture is None or not self.in_queue:
            self.say(NOT_THERE)
        elif picture.state is PictureState.PAINTING:
            self.say("It is being painted already.")
        elif self.try_show(lambda: Queue(self.store).move(picture.id, where)) is False:
            self.say("It exists already.")
        else:
            self.show_queue(self.try_show(Queue(self.store).waiting_pictures) or [])

    def look_at_forming(self) -> None:
        """Reads in a thread how far the pictures are, and when what is seen of them was written."""
        from tui.app.background.job_watcher import JobFollower

        project, follower = self.project, self._follower
        painting = [picture.id for picture in self._waiting if picture.state is PictureState.PAINTING]

        def look() -> tuple[Forming, JobFollower]:
            from engine.pictures.orders.start import painter_folder, preview_path
            from tui.widgets.thumbnails.cache import stamp_of

            following = follower or JobFollower(painter_folder(project))
            phase = following.poll().phase
            stamps = {number: stamp for number in painting if (stamp := stamp_of(preview_path(project, number)))}
            return Forming(phase if phase is not None and phase.name == "painting" else None, stamps), following

        # One look at a time: the next begins where this one ended.
        if not any(worker.group == "forming" and not worker.is_finished for worker in self.workers):
            self.run_latest("forming", look, self._formed)

    def _formed(self, looked: tuple[Forming, JobFollower]) -> None:
        before = self._forming
        self._forming, self._follower = looked
        if self._forming == before:
            return
        for at, picture in enumerate(self.grid.items[: len(self._waiting)]):
            if picture.state == PictureState.PAINTING:
                self.grid.redraw(at)
        for at, waiting in enumerate(self._waiting):
            if waiting.state is PictureState.PAINTING:
                self.queue.redraw(at)
        shown = self.queue.item if self.in_queue else self.grid.item
        if shown is not None and shown.state == PictureState.PAINTING:
            self.show_picture()

    def see_that_it_paints(self, project: Project) -> None:
        """In a thread: pictures wait, so somebody must paint; one that died is woken again, a few times."""
        from engine.pictures.orders.start import MOST_WAKES, painter_folder, wake_painter

        if self._wakes < MOST_WAKES and not painter_folder(project).alive():
            wake_painter(project)
            self._wakes += 1
