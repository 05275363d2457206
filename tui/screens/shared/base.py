"""What every screen is: a top line, a question, a body, the keys; and work that never blocks it."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from engine.errors import LimnerError, ProjectError
from engine.project import Project
from engine.storage.os_errors import explain
from tui.actions import Action, Scope
from tui.app.background.run_watcher import Seen
from tui.app.session_state import Left
from tui.textual_internals import count_as_styled
from tui.theming.keymap import keyed, keyed_line
from tui.widgets.footer import KeyLine
from tui.widgets.ink import Ink, Line, content_of, cut, key_line, spread, width_of
from tui.widgets.rows import Rows
from tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from tui.app.context import Context

Result = TypeVar("Result")

BESIDE = "#picture-pane, #takes-pane"
"""The panes beside lists whose width the user may change."""

AGAIN_SECONDS = 1.0
"""How soon a screen that could not be read is read again."""

LEAST_CELLS = 20
"""Neither a list nor what is beside it gets narrower."""

SLIM_COLUMNS = 60
"""Below, a terminal is a telephone's: panes stand under each other, as the stylesheets' ``-slim`` has it."""

WIDE_COLUMNS = 100
"""From here on a terminal is wide, as the stylesheets' ``-wide`` has it."""

LOW_ROWS = 26
"""Below, a telephone shows its keyboard, too: of the panes the list stays, as the stylesheets' ``-low`` has it."""

NOTHING_HERE: Line = [("There is no project in this folder yet.", Ink.ATTENTION)]


class WorkScreen(Screen[None]):
    """One of the six screens. Subclasses say their ``SCOPE``, ``QUESTION``, ``EMPTY`` and ``body``.

    Textual calls the ``on_`` handlers of every class, the subclass's first, so none of them calls ``super()``'s.
    """

    SCOPE: Scope
    QUESTION = ""
    EMPTY: tuple[Line, ...] = ()
    """What the screen is for, what is missing and the key that gets it, by its action's id in braces; shown while
    ``show_empty`` says so."""

    COMES_BACK: ClassVar[tuple[str, ...]] = ()
    """Text fields whose words come back when the app is opened again."""

    NO_PROJECT: ClassVar[tuple[Line, ...]] = (
        NOTHING_HERE,
        [],
        key_line("{app.connect}", "goes to Connect, where {connect.new_project} makes one."),
    )

    def __init__(self) -> None:
        super().__init__()
        count_as_styled(self)
        self._came_back = False
        self._beside: dict[str, int] = {}
        self._nothing: tuple[Line, ...] | None = None
        self._not_read = ""
        self._reading_again: Timer | None = None

    @dataclass
    class Worked(Message):
        """Work in a thread ended well: ``then`` takes the result."""

        then: Callable[[Any], None]
        result: Any

    @dataclass
    class Failed(Message):
        """Work in a thread failed: ``instead`` takes the error, or it is shown."""

        error: LimnerError
        instead: Callable[[LimnerError], None] | None = None

    def compose(self) -> ComposeResult:
        """The frame around the body."""
        yield TopBar(self.SCOPE)
        yield Static(id="question")
        with Container(id="body"):
            yield from self.body()
        yield Static(classes="empty")
        yield KeyLine(self.SCOPE)

    def body(self) -> Iterable[Widget]:
        """What is between the question and the keys."""
        return ()

    @property
    def limner(self) -> Context:
        """The app, by its own type."""
        return cast("Context", self.app)

    @property
    def project(self) -> Project:
        """The project. Raises ProjectError where none is open yet."""
        if self.limner.project is None:
            fix = self.keyed("make one on the Connect screen: {app.connect}, then {connect.new_project}")
            raise ProjectError("there is no project here yet", fix)
        return self.limner.project

    def on_mount(self) -> None:
        """Asks the question; the first time, everything is as it was left."""
        if not self._came_back:
            self._came_back = True
            self.restore_state(self.limner.left(self.SCOPE))
        self.ask()

    def save_state(self) -> Left:
        """How the screen is left: what ``restore_state`` needs. Subclasses add to it; values are plain JSON."""
        fields = {field: self.query_one(field, Input).value for field in self.COMES_BACK}
        lists = {rows.id: list(rows.left_at) for rows in self.query(Rows) if rows.id}
        return {"fields": fields, "lists": lists, "beside": dict(self._beside)}

    def restore_state(self, left: Left) -> None:
        """Takes up how the screen was left. What is no use any more is passed over."""
        for field, value in _table(left.get("fields")).items():
            if field in self.COMES_BACK and isinstance(value, str):
                self.query_one(field, Input).value = value
        for name, at in _table(left.get("lists")).items():
            if isinstance(at, list) and len(at) == 2 and isinstance(at[0], int):
                for rows in self.query(Rows).filter(f"#{name}"):
                    rows.come_back_to(at[0], at[1])
        self._beside = {name: cells for name, cells in _table(left.get("beside")).items() if isinstance(cells, int)}

    def widen(self, cells: int) -> None:
        """Gives the pane beside the list more room, or less; kept for this width of terminal, narrow or wide."""
        for pane in self.query(BESIDE).results(Widget) if self._breadth != "slim" else ():
            if pane.display and pane.outer_size.width:
                most = max(LEAST_CELLS, self.size.width - LEAST_CELLS)
                # What the last key asked for may not be laid out yet.
                now = min(most, self._beside.get(self._breadth, pane.outer_size.width))
                self._beside[self._breadth] = max(LEAST_CELLS, min(now + cells, most))
                self._fit_beside()
                return

    @property
    def _breadth(self) -> str:
        """How wide the terminal is; what was made wider or narrower is kept for each, but for a slim one."""
        if self.size.width < SLIM_COLUMNS:
            return "slim"
        return "narrow" if self.size.width < WIDE_COLUMNS else "wide"

    def _fit_beside(self) -> None:
        cells = self._beside.get(self._breadth)
        for pane in self.query(BESIDE).results(Widget):
            if cells is not None:
                pane.styles.width = min(cells, max(LEAST_CELLS, self.size.width - LEAST_CELLS))
            else:
                pane.styles.clear_rule("width")

    def on_screen_resume(self) -> None:
        """Comes back up to date."""
        self.query_one(TopBar).draw()
        self.query_one(KeyLine).draw()
        if self.limner.project is None:
            told_there = self.NO_PROJECT is self.EMPTY or not self.EMPTY
            purpose: tuple[Line, ...] = () if told_there else (self.EMPTY[0], [])
            told = (self._nowhere() if line is NOTHING_HERE else line for line in self.NO_PROJECT)
            self.show_empty((*purpose, *told))
        elif self.limner.drawn:
            self.read()
        else:
            # A thread that reads would take turns with what draws the first frame.
            self.call_after_refresh(self.read)

    def _nowhere(self) -> Line:
        """A folder that is not even there was likely meant to be another."""
        folder = self.limner.folder
        return NOTHING_HERE if folder.is_dir() else [(f"There is no folder {folder.absolute()} yet.", Ink.ATTENTION)]

    def on_screen_suspend(self) -> None:
        """Another screen is gone to; how this one is left is written down."""
        self._not_read = ""
        if self.is_running:
            self.limner.remember(self)

    def on_resize(self) -> None:
        """The question's line has another width, and so may the panes."""
        self._fit_beside()
        self.ask()

    def shown(self) -> None:
        """The screen was gone to; subclasses read what may have changed."""

    def read(self) -> None:
        """Shows what there is to show; what can't be read is told, and read as soon as it can be."""
        try:
            self.shown()
        except (LimnerError, OSError, sqlite3.Error) as error:
            self.could_not_read(explained(error))

    def could_not_read(self, error: LimnerError) -> None:
        """Tells it once a visit, and tries again while the screen is looked at: room is made elsewhere."""
        if error.one_line() != self._not_read:
            self._not_read = error.one_line()
            self.show_error(error)
        if self._reading_again is None:
            self._reading_again = self.set_timer(AGAIN_SECONDS, self._read_again)

    def _read_again(self) -> None:
        self._reading_again = None
        if self.is_current:
            self.read()

    def status(self) -> Line:
        """What stands at the right end of the question's line."""
        return []

    def ask(self) -> None:
        """Writes the question and the status; a status that takes its place says more than half a question."""
        width = max(10, self.size.width - 2)
        question: Line = [(self.QUESTION, Ink.STRONG)]
        # Where there is nothing to show, figures of it are noise.
        status = [] if self.is_empty or self.limner.project is None else self.status()
        line = cut(status, width) if width_of(question) + width_of(status) >= width else spread(question, status, width)
        self.query_one("#question", Static).update(content_of(line), layout=False)

    @property
    def is_empty(self) -> bool:
        """Whether the empty state is shown in the body's place."""
        return self._nothing is not None

    def label_of(self, action: Action) -> str:
        """The footer's word for a key; subclasses whose keys do one thing or its opposite say which."""
        return action.label

    def keys_changed(self) -> None:
        """What can be done has changed, or by which keys, so what names them is written anew."""
        self.query_one(KeyLine).draw()
        self._draw_empty()

    def runs_seen(self, seen: Seen) -> None:
        """Something is new about the runs; subclasses that show more than the top line add to this."""
        self.query_one(TopBar).draw()

    def show_empty(self, lines: tuple[Line, ...] | None) -> None:
        """Shows the empty state with these lines, or the body."""
        turned = (lines is None) != (self._nothing is None)
        self.set_class(lines is not None, "-empty")
        self._nothing = lines
        self._draw_empty()
        if turned:
            self.ask()
            self.query_one(KeyLine).draw()

    def keyed(self, text: str) -> str:
        """Words with the user's keys for the actions that they name: ``{prompts.edit} goes there``."""
        return keyed(text, self.limner.keys)

    def _draw_empty(self) -> None:
        if self._nothing is not None:
            lines = (keyed_line(line, self.limner.keys) for line in self._nothing)
            self.query_one(".empty", Static).update(content_of(*lines))

    def run_latest(
        self,
        group: str,
        work: Callable[[], Result],
        then: Callable[[Result], None],
        instead: Callable[[LimnerError], None] | None = None,
    ) -> None:
        """Does blocking work in a thread. A newer call of the same group takes an older one's place, which then may
        not even have begun: what must not be lost is ``carry_out``'s."""

        def in_thread() -> None:
            worker = get_current_worker()
            message = self._outcome(work, then, instead)
            if not worker.is_cancelled:
                self.post_message(message)

        self.run_worker(in_thread, thread=True, exclusive=True, group=group, exit_on_error=False)

    def run_queued(
        self,
        work: Callable[[], Result],
        then: Callable[[Result], None],
        instead: Callable[[LimnerError], None] | None = None,
    ) -> None:
        """Does what a key asked for in a thread: each key's, in their order, to its end even when the app is left."""
        begun = self.limner.keeping.submit(work)

        def wait() -> None:
            message = self._outcome(begun.result, then, instead)
            if not self.post_message(message) and isinstance(message, self.Failed):
                logging.getLogger("limner").warning(message.error.one_line())

        self.run_worker(wait, thread=True, group="carry out", exit_on_error=False)

    def _outcome(
        self,
        work: Callable[[], Result],
        then: Callable[[Result], None],
        instead: Callable[[LimnerError], None] | None,
    ) -> Message:
        try:
            return self.Worked(then, work())
        except Exception as error:
            return self.Failed(explained(error), instead)

    def try_show(self, work: Callable[[], Result]) -> Result | None:
        """Does quick work at once; an error is shown, and then the result is None."""
        try:
            return work()
        except Exception as error:
            self.show_error(explained(error))
            return None

    def could(self, work: Callable[[], object]) -> bool:
        """Does quick work at once, for its own sake; whether it could be done: an error is shown."""
        return self.try_show(lambda: (work(),)) is not None

    def show_error(self, error: LimnerError) -> None:
        """Tells what happened and what to do."""
        what = error.what[:1].upper() + error.what[1:]
        fix = error.fix[:1].upper() + error.fix[1:]
        self.notify(fix or what, title=what if fix else "", severity="error", timeout=8, markup=False)

    def say(self, text: str) -> None:
        """Tells that something was done; ``{prompts.edit}`` is told as the key of that action."""
        self.notify(self.keyed(text), timeout=3, markup=False)

    def leave_field(self, field: Widget) -> None:
        """A text field was left by Esc: the focus goes to the screen's list."""
        self.focus_list()

    def focus_list(self) -> None:
        """Gives the focus to what the letters act on."""

    def on_work_screen_worked(self, message: Worked) -> None:
        """Passes a thread's result on."""
        message.then(message.result)

    def on_work_screen_failed(self, message: Failed) -> None:
        """Passes a thread's error on."""
        (message.instead or self.show_error)(message.error)


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def explained(error: Exception) -> LimnerError:
    """An error as one that a person can act on; a mistake of ours goes to the log, too."""
    if (told := explain(error)) is not None:
        return told
    logging.getLogger("limner").exception("unexpected", exc_info=error)
    return LimnerError(f"{type(error).__name__}: {error}", "this is a mistake in Limner; please report it")
