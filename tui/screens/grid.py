"""The grid (X/Y plot): cells by column and row, live while they are painted, voted on by keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from textual import on
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from engine.errors import LimnerError, PictureError
from engine.pictures.grid.axes import AxisKind, read_axis
from engine.pictures.grid.painting import (
    Progress,
    kept,
    known_of,
    make_grid,
    paint_missing,
    progress_of,
    recent_paces,
    sheet_path,
    usual_grid,
)
from engine.pictures.grid.plan import Grid, Place
from engine.pictures.grid.ranges import GridError
from engine.pictures.grid.shelf import Cell, GridShelf
from engine.pictures.picture import PictureState
from engine.pictures.start import preview_path
from engine.pictures.votes import Ranked, Ranking, Votes
from engine.project import Project
from tui.actions import Scope
from tui.bindings import bindings_for
from tui.remembered import Left
from tui.screens.base import WorkScreen
from tui.screens.grid_lines import cell_facts, cell_subject, cell_thumbnail, cell_words, progress_line
from tui.widgets.cells import Cells
from tui.widgets.ink import Ink, Line, content_of, key_line, title_of
from tui.widgets.portrait import Portrait, Subject
from tui.widgets.thumbnails import Thumbnail, Thumbnails

POLL_SECONDS = 0.7
"""How often the cells are looked at while the screen is shown."""

Stamp = tuple[int, ...]


class GridScreen(WorkScreen):
    """One grid at a time: a page of its cells, the one under the cursor large beside them."""

    SCOPE = Scope.PLOT
    CSS_PATH = "grid.tcss"
    BINDINGS = bindings_for(Scope.PLOT)
    QUESTION = "Which one is it?"
    AUTO_FOCUS = "#cells"
    EMPTY = (
        [("Here checkpoints, strengths and prompts stand beside each other: a grid, an X/Y plot.", Ink.PLAIN)],
        [],
        [("There is no grid yet.", Ink.ATTENTION)],
        [],
        key_line("X", "makes the newest run's: its checkpoints by three strengths, for a few prompts."),
        key_line("N", "makes another: strength=0.6-1.0 (+0.2) x seed=1-4"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._grid: Grid | None = None
        self._cells: dict[Place, Cell] = {}
        self._progress: Progress | None = None
        self._page = 0
        self._only_row: int | None = None
        self._only_column: int | None = None
        self._wanted: str | None = None
        self._stamp: Stamp = ()
        self._timer: Timer | None = None

    def body(self) -> Iterable[Widget]:
        """The cells, and the picture under the cursor."""
        with Horizontal(id="panes"):
            with Vertical(id="cells-pane", classes="pane"):
                yield Cells(self._tell, id="cells")
            with Vertical(id="picture-pane", classes="pane"):
                yield Portrait(id="picture")
                yield Static(id="facts")
        yield Static(id="prompt-line")

    def left_as(self) -> Left:
        """Which grid was open, at which page."""
        return {**super().left_as(), "grid": self._grid.name if self._grid else self._wanted, "page": self._page}

    def come_back(self, left: Left) -> None:
        """Opens it again."""
        super().come_back(left)
        name, page = left.get("grid"), left.get("page")
        self._wanted = name if isinstance(name, str) else None
        self._page = page if isinstance(page, int) else 0

    def shown(self) -> None:
        """Looks at the cells, now and while the screen is shown."""
        if self._timer is None:
            self._timer = self.set_interval(POLL_SECONDS, self._look)
        self._timer.resume()
        self._stamp = ()
        self._read()

    def on_screen_suspend(self) -> None:
        """Nobody looks."""
        super().on_screen_suspend()
        if self._timer is not None:
            self._timer.pause()

    def status(self) -> Line:
        """How far it is, and how long the rest will take."""
        return progress_line(self._progress) if self._progress else []

    def focus_list(self) -> None:
        """The cells."""
        self.cells.focus()

    @property
    def cells(self) -> Cells:
        """The cells' widget."""
        return self.query_one("#cells", Cells)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What a grid must be there for, and what only some grids have."""
        if action in ("usual", "make", "back", "other"):
            return True
        if self._grid is None or self._progress is None:
            return False
        if action == "paint":
            return self._progress.painted + self._progress.waiting < self._progress.cells
        if action == "cancel":
            return self._progress.waiting > 0
        if action in ("vote_for", "vote_against", "next_open", "view", "export"):
            return self._progress.painted > 0
        if action in ("next_page", "previous_page"):
            return len(self._grid.page_values) > 1
        return True

    def show_usual(self, run: str | None = None) -> None:
        """Opens the usual grid of a run (None: the newest) and has it painted if it is new."""
        project = self.project

        def make() -> tuple[Grid, bool]:
            grid = kept(project, usual_grid(project, project.run(run)))
            with project.store() as store:
                new = all(cell.state is None for cell in GridShelf(store).cells(grid).values())
            if new:
                paint_missing(project, grid)
            return grid, new

        def made(result: tuple[Grid, bool]) -> None:
            grid, new = result
            self._open(grid)
            if new:
                self.say("Queued. It is painted while you look, and when this terminal closes.")

        self.do("make", make, made, self._refused)

    def action_usual(self) -> None:
        """The newest run's."""
        self.show_usual()

    def action_make(self) -> None:
        """Asks for axes, makes the grid and has it painted."""
        from tui.screens.choosing import AskName

        project = self.project

        def answered(line: str | None) -> None:
            if not line:
                return

            def make() -> Grid:
                run = project.run() if project.run_folders() else None
                grid = kept(project, make_grid(project, run, axes_of(line)))
                paint_missing(project, grid)
                return grid

            self.do("make", make, self._open, self._refused)

        detail = "columns x rows x pages:\ncheckpoint x strength=0.6-1.0 (+0.2) x seed=1-4"
        self.app.push_screen(AskName("A new grid", detail), answered)

    def action_extend(self) -> None:
        """Asks for more values; only the new cells are painted."""
        from tui.screens.choosing import AskName

        project, grid = self.project, self._grid
        if grid is None:
            return

        def answered(line: str | None) -> None:
            if not line:
                return

            def extend() -> Grid:
                run = project.run(grid.run) if grid.run else None
                wider = kept(project, grid.extended(read_axis(line, known_of(project, run))))
                paint_missing(project, wider)
                return wider

            self.do("make", extend, self._open, self._refused)

        self.app.push_screen(AskName("More values", "strength=1.2 · seed=2-4 · checkpoint=all"), answered)

    def action_other(self) -> None:
        """Chooses among the grids there are."""
        project = self.project

        def read() -> list[Grid]:
            with project.store() as store:
                return GridShelf(store).grids()

        def choose(grids: list[Grid]) -> None:
            from tui.screens.grid_choice import GridChoice

            if not grids:
                self.say("There is no grid yet.")
                return
            at = self._grid.name if self._grid else None
            self.app.push_screen(GridChoice(grids, at), lambda grid: self._open(grid) if grid else None)

        self.do("other", read, choose)

    def action_paint(self) -> None:
        """Queues what is missing."""
        project, grid = self.project, self._grid
        if grid is None:
            return

        def paint() -> int:
            paint_missing(project, grid)
            return self._progress.left if self._progress else 0

        def queued(count: int) -> None:
            self.say(f"Queued; {count:,} to paint.")
            self._look()

        self.do("paint", paint, queued, self._refused)

    def action_cancel(self) -> None:
        """Takes the rest off the queue."""
        project, grid = self.project, self._grid
        if grid is None:
            return

        def cancel() -> int:
            with project.store() as store:
                return GridShelf(store).cancel(grid)

        def cancelled(count: int) -> None:
            self.say(f"{count:,} taken off the queue; p goes on with them.")
            self._look()

        self.do("cancel", cancel, cancelled)

    def action_vote_for(self) -> None:
        """For it."""
        self._vote(1)

    def action_vote_against(self) -> None:
        """Against it."""
        self._vote(-1)

    def action_next_open(self) -> None:
        """To the next painted cell without a vote, on another page if there is none on this."""
        grid, here = self._grid, self.cells.item
        if grid is None or here is None:
            return
        places = list(grid.places())
        at = places.index(here.place) + 1
        for place in (*places[at:], *places[:at]):
            cell = self._cells.get(place)
            if cell is not None and cell.painted and not cell.vote:
                self._only_row = self._only_column = None
                self._page = place.z
                self._lay(place)
                return
        self.say("Every picture has a vote.")

    def action_next_page(self) -> None:
        """The next prompt, or what else the pages are."""
        self._turn(1)

    def action_previous_page(self) -> None:
        """The one before."""
        self._turn(-1)

    def action_row(self) -> None:
        """This row alone, or all."""
        here = self.cells.item
        if here is not None:
            self._only_row = here.place.y if self._only_row is None else None
            self._lay(here.place)

    def action_column(self) -> None:
        """This column alone, or all."""
        here = self.cells.item
        if here is not None:
            self._only_column = here.place.x if self._only_column is None else None
            self._lay(here.place)

    def action_view(self) -> None:
        """The picture alone."""
        from tui.screens.large import LargeScreen

        def step(by: int) -> None:
            self.cells.cursor += by

        def current() -> tuple[Subject | None, Line]:
            cell, grid = self.cells.item, self._grid
            if cell is None or grid is None:
                return None, []
            return cell_subject(cell), cell_words(grid, cell)

        self.app.push_screen(LargeScreen(current, step))

    def action_ranking(self) -> None:
        """Who was liked best."""
        from tui.screens.ranking import RankingScreen

        project, grid = self.project, self._grid
        run = project.runs / grid.run if grid is not None and grid.run else None

        def read() -> dict[Ranking, list[Ranked]]:
            with project.store() as store:
                return {by: Votes(store).ranking(by, run) for by in Ranking}

        def show(found: dict[Ranking, list[Ranked]]) -> None:
            self.app.push_screen(RankingScreen(found))

        self.do("ranking", read, show)

    def action_export(self) -> None:
        """Writes the sheet."""
        project, grid, cells = self.project, self._grid, dict(self._cells)
        if grid is None:
            return

        def write() -> str:
            from engine.pictures.grid.sheet import write_sheet

            written = write_sheet(grid, cells, sheet_path(project, grid))
            more = f" and {len(written) - 1} more" if len(written) > 1 else ""
            return f"Written: {written[0].relative_to(project.root)}{more}"

        self.say("Writing the sheet …")
        self.do("export", write, self.say)

    def action_back(self) -> None:
        """Where one came from."""
        self.limner.leave_grid()

    @on(Thumbnails.Moved, "#cells")
    def _moved(self) -> None:
        self._show_cell()

    @on(Thumbnails.Chosen, "#cells")
    def _chosen(self) -> None:
        self.action_view()

    def _tell(self, cell: Cell) -> Thumbnail:
        preview = preview_path(self.project, cell.picture) if cell.picture is not None else None
        return cell_thumbnail(cell, self.project.cache, preview)

    def _refused(self, error: LimnerError) -> None:
        """An error, with the word that it is about set off."""
        marked = error.marked if isinstance(error, GridError) else ""
        self.show_error(PictureError(f"{marked}: {error.what}", error.fix) if marked else error)

    def _vote(self, vote: int) -> None:
        at, cell = self.cells.cursor, self.cells.item
        if cell is None or cell.picture is None or not cell.painted:
            self.say("Only a painted picture can be voted on.")
            return
        number, now = cell.picture, 0 if cell.vote == vote else vote

        def cast() -> bool:
            with self.project.store() as store:
                Votes(store).cast(number, now)
            return True

        if self.attempt(cast):
            # Equal cells are one picture: all of them have the vote.
            self._cells = {
                place: replace(each, vote=now) if each.picture == number else each
                for place, each in self._cells.items()
            }
            self.cells.take(self._page_cells())
            self.cells.redraw(at)
            self._show_cell()

    def _turn(self, by: int) -> None:
        if self._grid is not None:
            here = self.cells.item
            self._page = (self._page + by) % len(self._grid.page_values)
            self._lay(here.place._replace(z=self._page) if here else None)

    def _open(self, grid: Grid) -> None:
        if self._grid is None or self._grid.id != grid.id:
            self._page, self._only_row, self._only_column = 0, None, None
        self._wanted, self._grid, self._stamp = grid.name, None, ()
        self._read()

    def _look(self) -> None:
        """Reads only when the database changed; what is being painted is seen forming meanwhile."""
        if self.limner.project is None:
            return
        for index, cell in enumerate(self.cells.items):
            if cell.state is PictureState.PAINTING:
                self.cells.redraw(index)
        if stamp_of_store(self.project) != self._stamp:
            self._read()

    def _read(self) -> None:
        project, wanted, known = self.project, self._wanted, self._grid

        def read() -> tuple[Stamp, Grid | None, dict[Place, Cell], Progress | None]:
            stamp = stamp_of_store(project)
            with project.store() as store:
                shelf = GridShelf(store)
                grids = shelf.grids()
                grid = next((each for each in grids if each.name == wanted), grids[0] if grids else None)
                if grid is None:
                    return stamp, None, {}, None
                cells = shelf.cells(grid)
            # The same object as before keeps what it worked out.
            grid = known if known == grid else grid
            return stamp, grid, cells, progress_of(cells, recent_paces(project))

        self.do("read", read, self._take)

    def _take(self, found: tuple[Stamp, Grid | None, dict[Place, Cell], Progress | None]) -> None:
        self._stamp, grid, cells, self._progress = found
        self.show_empty(None if grid else self.EMPTY)
        same = grid is not None and self._grid is grid
        here = self.cells.item
        self._grid, self._cells = grid, cells
        if grid is not None:
            self._wanted = grid.name
            self._page = min(self._page, len(grid.page_values) - 1)
            if same:
                self.cells.take(self._page_cells())
            else:
                self._lay(here.place if here else None)
            self.cells.focus()
        self.keys_changed()
        self.ask()

    def _shown_columns(self) -> Sequence[int]:
        return range(len(self._grid.columns)) if self._only_column is None and self._grid else [self._only_column or 0]

    def _shown_rows(self) -> Sequence[int]:
        return range(len(self._grid.rows)) if self._only_row is None and self._grid else [self._only_row or 0]

    def _page_cells(self) -> list[Cell]:
        columns = self._shown_columns()
        return [self._cells[Place(x, y, self._page)] for y in self._shown_rows() for x in columns]

    def _lay(self, place: Place | None) -> None:
        """Lays the page out anew; the cursor goes to a place if that is to be seen."""
        grid = self._grid
        if grid is None:
            return
        columns, rows = self._shown_columns(), self._shown_rows()
        heads = [grid.x.label(grid.columns[x]) for x in columns]
        if grid.x.kind not in NAMED:
            heads = [f"{grid.x.kind} {head}" for head in heads]
        labels = [grid.y.label(grid.rows[y]) if grid.y else "" for y in rows]
        cells = self._page_cells()
        at = next((index for index, cell in enumerate(cells) if place and cell.place[:2] == place[:2]), 0)
        pane = self.query_one("#cells-pane")
        pages = len(grid.page_values)
        page = f" · {grid.page_label(self._page)}" if grid.pages else ""
        axes = f"{grid.x.kind} × {grid.y.kind}" if grid.y else grid.x.kind.value
        pane.border_title = title_of(f"{axes}{page}")
        pane.border_subtitle = f"page {self._page + 1} of {pages}" if pages > 1 else ""
        self.cells.lay(heads, labels, cells, at)
        self._show_cell()

    def _show_cell(self) -> None:
        grid, cell = self._grid, self.cells.item
        if grid is None or cell is None:
            return
        cell = self._cells.get(cell.place, cell)
        portrait = self.query_one("#picture", Portrait)
        subject = cell_subject(cell)
        words: Line = [("not painted", Ink.MUTED)] if cell.state is None else [(cell.state.value, Ink.MUTED)]
        portrait.show(subject, self._neighbours(), words=words)
        self.query_one("#picture-pane").border_title = title_of(grid.x.label(grid.columns[cell.place.x]))
        self.query_one("#facts", Static).update(content_of(*cell_facts(grid, cell)))
        values = grid.values(cell.place)
        negative = values.get(AxisKind.NEGATIVE, grid.common.negative)
        without: Line = [("  without ", Ink.MUTED), (negative, Ink.MUTED)] if negative else []
        prompt = values.get(AxisKind.PROMPT, grid.common.prompt)
        self.query_one("#prompt-line", Static).update(content_of([(prompt, Ink.PLAIN), *without]))

    def _neighbours(self) -> list[Subject]:
        at, across, items = self.cells.cursor, self.cells.across, self.cells.items
        near = [items[index] for index in (at + 1, at - 1, at + across) if 0 <= index < len(items)]
        return [subject for cell in near if (subject := cell_subject(cell)) is not None]


NAMED = (AxisKind.CHECKPOINT, AxisKind.PROMPT, AxisKind.SAMPLER, AxisKind.NEGATIVE, AxisKind.SIZE)
"""Axes whose values say themselves what they are."""

_BETWEEN = re.compile(r"""\s+[x×]\s+(?=(?:[^"]*"[^"]*")*[^"]*$)""")


def axes_of(line: str) -> list[str]:
    """The axes of one line: ``checkpoint x strength=0.6,0.8 x seed=1-3``; an x in quotes is a letter."""
    return [each.strip() for each in _BETWEEN.split(line) if each.strip()]


def stamp_of_store(project: Project) -> Stamp:
    """What changes whenever the project's database does."""
    stamp: list[int] = []
    for name in ("limner.db", "limner.db-wal"):
        try:
            about = (project.root / name).stat()
            stamp += [about.st_mtime_ns, about.st_size]
        except OSError:
            stamp.append(0)
    return tuple(stamp)
