"""The grid (X/Y plot): cells by column and row, live while they are painted, voted on by keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from textual import on

from engine.errors import LimnerError, PictureError
from engine.pictures.gallery.ratings import Action, Ratings
from engine.pictures.gallery.votes import Ranked, Ranking, Votes
from engine.pictures.grid.axes import read_axis
from engine.pictures.grid.painting import (
    kept,
    known_of,
    make_grid,
    paint_missing,
    sheet_path,
    usual_grid,
)
from engine.pictures.grid.plan import Grid, Place
from engine.pictures.grid.ranges import GridError
from engine.pictures.grid.store import GridShelf
from tui.actions import Scope
from tui.screens.grid.text import cell_subject, cell_words
from tui.screens.grid.view import GridSight
from tui.theming.bindings import bindings_for
from tui.widgets.ink import Line
from tui.widgets.portrait import Subject
from tui.widgets.thumbnails.grid import Thumbnails

_BETWEEN = re.compile(r"(?<!\s)\s+[x×]\s+")


class GridScreen(GridSight):
    """One grid at a time, and what can be done with it."""

    BINDINGS = bindings_for(Scope.PLOT)

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
        if action in ("vote_for", "vote_against", "undo", "redo", "next_open", "previous_open", "view", "export"):
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
                self.say("Queued. Painting continues when this terminal closes.")

        self.run_queued(make, made, self._refused)

    def action_usual(self) -> None:
        """The newest run's."""
        self.show_usual()

    def action_make(self) -> None:
        """Asks for axes, makes the grid and has it painted."""
        from tui.screens.shared.ask_text import AskText

        project = self.project

        def answered(line: str | None) -> None:
            if not line:
                return

            def make() -> Grid:
                run = project.run() if project.run_folders() else None
                grid = kept(project, make_grid(project, run, axes_of(line)))
                paint_missing(project, grid)
                return grid

            self.run_queued(make, self._open, lambda error: self._ask_again(error, lambda: ask(line)))

        def ask(line: str = "") -> None:
            detail = "columns x rows x pages:\ncheckpoint x strength=0.6-1.0 (+0.2) x seed=1-4"
            self.app.push_screen(AskText("A new grid", detail, line), answered)

        ask()

    def action_extend(self) -> None:
        """Asks for more values; only the new cells are painted."""
        from tui.screens.shared.ask_text import AskText

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

            self.run_queued(extend, self._open, lambda error: self._ask_again(error, lambda: ask(line)))

        def ask(line: str = "") -> None:
            self.app.push_screen(AskText("More values", "strength=1.2 · seed=2-4 · checkpoint=all", line), answered)

        ask()

    def _ask_again(self, error: LimnerError, ask: Callable[[], None]) -> None:
        """What is not understood is there to be mended."""
        self._refused(error)
        if self.is_current:
            ask()

    def action_other(self) -> None:
        """Chooses among the grids there are."""
        project = self.project

        def read() -> list[Grid]:
            with project.store() as store:
                return GridShelf(store).grids()

        def choose(grids: list[Grid]) -> None:
            from tui.screens.grid.pick_dialog import GridChoice

            if not grids:
                self.say("There is no grid yet.")
                return
            at = self._grid.name if self._grid else None
            self.app.push_screen(GridChoice(grids, at), lambda grid: self._open(grid) if grid else None)

        self.run_latest("other", read, choose)

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

        self.run_queued(paint, queued, self._refused)

    def action_cancel(self) -> None:
        """Takes the rest off the queue."""
        project, grid = self.project, self._grid
        if grid is None:
            return

        def cancel() -> int:
            with project.store() as store:
                return GridShelf(store).cancel(grid)

        def cancelled(count: int) -> None:
            self.say(f"{count:,} cancelled; {{plot.paint}} paints them again.")
            self._look()

        self.run_queued(cancel, cancelled)

    def action_vote_for(self) -> None:
        """For it."""
        self._vote(1)

    def action_vote_against(self) -> None:
        """Against it."""
        self._vote(-1)

    def action_undo(self) -> None:
        """Takes the last vote back, or what else was said of a picture."""
        self._turn_back(lambda verdicts: verdicts.undo(), "undo", "Undid")

    def action_redo(self) -> None:
        """Says it again."""
        self._turn_back(lambda verdicts: verdicts.redo(), "redo", "Redid")

    def action_next_open(self) -> None:
        """To the next painted cell without a vote, on another page if there is none on this."""
        self._go_to_open(1)

    def action_previous_open(self) -> None:
        """To the one before."""
        self._go_to_open(-1)

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
        from tui.screens.shared.full_size import LargeScreen

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
        from tui.screens.shared.ranking import RankingScreen

        project, grid = self.project, self._grid
        run = project.runs / grid.run if grid is not None and grid.run else None

        def read() -> dict[Ranking, list[Ranked]]:
            with project.store() as store:
                return {by: Votes(store).ranking(by, run) for by in Ranking}

        def show(found: dict[Ranking, list[Ranked]]) -> None:
            self.app.push_screen(RankingScreen(found))

        self.run_latest("ranking", read, show)

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
        self.run_latest("export", write, self.say)

    def action_back(self) -> None:
        """Where one came from."""
        self.limner.leave_grid()

    @on(Thumbnails.Chosen, "#cells")
    def _chosen(self) -> None:
        self.action_view()

    def _refused(self, error: LimnerError) -> None:
        """An error, with the word that it is about set off."""
        marked = error.marked if isinstance(error, GridError) else ""
        self.show_error(PictureError(f"{marked}: {error.what}", error.fix) if marked else error)

    def _vote(self, vote: int) -> None:
        cell = self.cells.item
        if cell is None or cell.picture is None or not cell.painted:
            self.say("Only painted pictures can be voted on.")
            return
        number = cell.picture

        def cast() -> tuple[int]:
            with self.project.store() as store:
                votes = Votes(store)
                # What is stored counts: what is shown may have been read before the last key.
                now = 0 if votes.of([number]).get(number) == vote else vote
                votes.cast(number, now)
            return (now,)

        if done := self.try_show(cast):
            self._take_votes({number: done[0]})

    def _go_to_open(self, by: int) -> None:
        grid, here = self._grid, self.cells.item
        if grid is None or here is None:
            return
        places = list(grid.places())
        at = places.index(here.place)
        for step in range(1, len(places) + 1):
            place = places[(at + by * step) % len(places)]
            cell = self._cells.get(place)
            if cell is not None and cell.painted and not cell.vote:
                self._go_to(place)
                return
        self.say("Every picture has a vote.")

    def _go_to(self, place: Place) -> None:
        """To a cell, whatever is seen now."""
        self._only_row = self._only_column = None
        self._page = place.z
        self._lay(place)

    def _turn_back(self, turn: Callable[[Ratings], Action | None], word: str, done: str) -> None:
        """Undoes or redoes what was said of a picture, and goes to it where the grid has it."""

        def work() -> tuple[Action | None, dict[int, int]]:
            with self.project.store() as store:
                action = turn(Ratings(store))
                return action, Votes(store).of(action.pictures) if action is not None else {}

        if (found := self.try_show(work)) is None:
            return
        action, votes = found
        if action is None:
            self.say(f"There is nothing to {word}.")
            return
        self._take_votes({number: votes.get(number, 0) for number in action.pictures})
        place = next((at for at, cell in self._cells.items() if cell.picture in action.pictures), None)
        if place is not None and (self.cells.item is None or self.cells.item.picture not in action.pictures):
            self._go_to(place)
        self.say(f"{done}: {action.label}")
        self._look()

    def _take_votes(self, votes: Mapping[int, int]) -> None:
        """Shows votes at once. Equal cells are one picture: all of them have its vote."""
        self._cells = {
            place: replace(cell, vote=votes.get(cell.picture or 0, cell.vote)) for place, cell in self._cells.items()
        }
        self.cells.take(self._page_cells())
        self._show_cell()

    def _turn(self, by: int) -> None:
        if self._grid is not None:
            here = self.cells.item
            self._page = (self._page + by) % len(self._grid.page_values)
            self._lay(here.place._replace(z=self._page) if here else None)


def axes_of(line: str) -> list[str]:
    """The axes of one line: ``checkpoint x strength=0.6,0.8 x seed=1-3``; an x in quotes is a letter."""
    found, begin, counted, quotes = [], 0, 0, line.count('"')
    for between in _BETWEEN.finditer(line):
        quotes -= line.count('"', counted, between.start())
        counted = between.start()
        # As many quotes open as close from here on: this x is in none.
        if quotes % 2 == 0:
            found.append(line[begin : between.start()])
            begin = between.end()
    return [each.strip() for each in (*found, line[begin:]) if each.strip()]
