"""A grid as it is seen: a page of its cells, the one under the cursor large beside them, live while it is painted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from engine.pictures.grid.axes import AxisKind
from engine.pictures.grid.painting import (
    Progress,
    progress_of,
    recent_paces,
)
from engine.pictures.grid.plan import Grid, Place
from engine.pictures.grid.store import Cell, GridShelf
from engine.pictures.orders.picture import PictureState
from engine.pictures.orders.start import preview_path
from engine.project import Project
from tui.actions import Scope
from tui.app.session_state import Left
from tui.screens.grid.text import cell_facts, cell_subject, cell_thumbnail, progress_line
from tui.screens.shared.base import WorkScreen
from tui.widgets.cells import Cells
from tui.widgets.ink import Ink, Line, content_of, key_line, title_of
from tui.widgets.portrait import Portrait, Subject
from tui.widgets.thumbnails.grid import Thumbnails
from tui.widgets.thumbnails.tile import Thumbnail

POLL_SECONDS = 0.7
"""How often the cells are looked at while the screen is shown."""

Stamp = tuple[int, ...]

NAMED = (AxisKind.CHECKPOINT, AxisKind.PROMPT, AxisKind.SAMPLER, AxisKind.NEGATIVE, AxisKind.SIZE)
"""Axes whose values say themselves what they are."""


class GridSight(WorkScreen):
    """What the Grid screen shows; what its keys do is in ``grid``."""

    SCOPE = Scope.PLOT
    CSS_PATH = "screen.tcss"
    QUESTION = "Which is best?"
    AUTO_FOCUS = "#cells"
    EMPTY = (
        [("Compare checkpoints, weights and prompts side by side.", Ink.PLAIN)],
        [],
        [("There is no grid yet.", Ink.ATTENTION)],
        [],
        key_line("{plot.usual}", "makes the default one: the newest run's checkpoints at three LoRA weights."),
        key_line("{plot.make}", "makes another: strength=0.6-1.0 (+0.2) x seed=1-4"),
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

    def save_state(self) -> Left:
        """Which grid was open, at which page."""
        return {**super().save_state(), "grid": self._grid.name if self._grid else self._wanted, "page": self._page}

    def restore_state(self, left: Left) -> None:
        """Opens it again."""
        super().restore_state(left)
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

    @on(Thumbnails.Moved, "#cells")
    def _moved(self) -> None:
        self._show_cell()

    def _tell(self, cell: Cell) -> Thumbnail:
        preview = preview_path(self.project, cell.picture) if cell.picture is not None else None
        return cell_thumbnail(cell, self.project.cache, preview)

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

        self.run_latest("read", read, self._take, self.could_not_read)

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
