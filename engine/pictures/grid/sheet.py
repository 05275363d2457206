"""A grid as one labelled PNG: columns and rows with their values, a legend of what all cells have in common.

Pages stand below each other. What would be too large for one file is split by pages, then by rows, then by columns,
each part with its labels. The PNG tells its axes as A1111's do (``X Type``, ``X Values`` …; source: A1111
``scripts/xyz_grid.py``).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from engine import __version__
from engine.counting import many
from engine.errors import PictureError
from engine.faces.photo.loading import open_header
from engine.pictures.grid.axes import AxisKind
from engine.pictures.grid.plan import Grid, Place
from engine.pictures.grid.store import Cell
from engine.pictures.orders.commit import write_picture
from engine.pictures.orders.orders import free_path
from engine.pictures.orders.png_parameters import Parameters
from engine.settings.samplers import NoiseSchedule, usual_schedule

MOST_MEGAPIXELS = 64.0
"""Of one file, unless somebody says otherwise: any viewer opens it."""

PAPER, INK, FAINT = (250, 249, 246), (28, 30, 34), (120, 124, 132)

_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf")
"""Those with more scripts than Pillow's own, where they are."""

_LONGEST = 6
"""Lines of a label."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Part:
    """What one file shows: a page, some of its rows, some of its columns."""

    z: int
    rows: range
    columns: range


@dataclass(frozen=True)
class _Look:
    """Measures of a sheet, in pixels."""

    cell: tuple[int, int]
    gap: int
    font: Font
    line: int
    """How high a line of text is."""
    letters: int
    """How many of them fit above a cell."""
    left: int
    """How wide the rows' labels are."""
    below: int
    """What stands under each cell; 0 where no likeness was measured."""


def write_sheet(
    grid: Grid,
    cells: Mapping[Place, Cell],
    path: Path,
    *,
    cell_pixels: int | None = None,
    most_megapixels: float = MOST_MEGAPIXELS,
) -> list[Path]:
    """Writes a grid's sheet, never over something that is there.

    Args:
        grid: the grid.
        cells: its cells; those that are not painted stay empty.
        path: the PNG; of several, the first number goes behind its name.
        cell_pixels: a cell's longer side; None: as it was painted.
        most_megapixels: of one file.

    Returns:
        The files.

    Raises:
        PictureError: nothing is painted yet, a picture can't be read, or the folder can't be written.
    """
    painted = [cell for cell in cells.values() if cell.painted and cell.path is not None]
    if not painted:
        raise PictureError(f"nothing of {grid.name} is painted yet", "paint it with: limner grid")
    look = _look(grid, painted, cell_pixels)
    parts = list(split(grid, look.cell, look.gap, most_megapixels))
    sizes = [_measured(grid, part, look) for part in parts]
    files = _together(sizes, most_megapixels)
    written = []
    for number, some in enumerate(files, start=1):
        sheet = Image.new("RGB", (max(sizes[at][0] for at in some), sum(sizes[at][1] for at in some)), PAPER)
        top = 0
        for at in some:
            sheet.paste(_drawn(grid, cells, parts[at], look), (0, top))
            top += sizes[at][1]
        to = path if len(files) == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        written.append(write_picture(sheet, free_path(to), _about(grid, [parts[at] for at in some])))
    return written


def split(grid: Grid, cell: tuple[int, int], gap: int, most_megapixels: float) -> Iterator[Part]:
    """The parts of a sheet: whole pages where they fit, else as many rows, else as many columns as do."""
    across, down = len(grid.columns), len(grid.rows)
    most = max(1, int(most_megapixels * 1e6) // ((cell[0] + gap) * (cell[1] + gap)))
    columns = min(across, most)
    rows = max(1, min(down, most // columns))
    for z in range(len(grid.page_values)):
        for top in range(0, down, rows):
            for left in range(0, across, columns):
                yield Part(z, range(top, min(down, top + rows)), range(left, min(across, left + columns)))


def _together(sizes: Sequence[tuple[int, int]], most_megapixels: float) -> list[list[int]]:
    """Which parts go into one file, below each other, by their width and height in pixels."""
    files: list[list[int]] = []
    for at in range(len(sizes)):
        some = [*(files[-1] if files else ()), at]
        pixels = max(sizes[one][0] for one in some) * sum(sizes[one][1] for one in some)
        if len(some) > 1 and pixels <= most_megapixels * 1e6:
            files[-1] = some
        else:
            files.append([at])
    return files


def legend(grid: Grid, part: Part) -> list[str]:
    """What all cells of a part have in common: its page, the prompt, the settings."""
    kinds = {axis.kind for axis in grid.axes}
    common = grid.common
    lines = [page] if (page := grid.page_label(part.z)) else []
    if AxisKind.PROMPT not in kinds:
        lines.append(common.prompt)
    if AxisKind.NEGATIVE not in kinds and common.negative:
        lines.append(f"without: {common.negative}")
    schedule = usual_schedule(common.sampler, common.schedule)
    sampler = f"{common.sampler}" if schedule is NoiseSchedule.UNIFORM else f"{common.sampler} {schedule}"
    said = {
        AxisKind.CHECKPOINT: common.lora.stem if common.lora else "no LoRA",
        AxisKind.STRENGTH: f"strength {common.strength:g}" if common.strength is not None else "",
        AxisKind.SEED: f"seed {common.seed}",
        AxisKind.STEPS: many(common.steps, "step"),
        AxisKind.GUIDANCE: f"CFG {common.guidance:g}",
        AxisKind.SAMPLER: sampler,
        AxisKind.SIZE: f"{common.width} × {common.height}" if common.width and common.height else "",
    }
    if common.lora is None and AxisKind.CHECKPOINT not in kinds:
        said[AxisKind.STRENGTH] = ""
    fixed = [text for kind, text in said.items() if kind not in kinds and text]
    return [*lines, " · ".join([*fixed, f"Limner {__version__}"])]


def _look(grid: Grid, painted: Sequence[Cell], cell_pixels: int | None) -> _Look:
    with open_header(painted[0].path or "") as first:
        width, height = first.size
    if cell_pixels is not None:
        scale = cell_pixels / max(width, height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
    points = max(11, min(40, width // 20))
    font = _font(points)
    letter = font.getlength("n") if isinstance(font, ImageFont.FreeTypeFont) else points * 0.6
    letters = max(6, int(width / letter))
    labels = [_wrapped(grid.y.label(value), letters // 2 + 4) for value in grid.rows] if grid.y else []
    longest = max((_length(font, line) for label in labels for line in label), default=0)
    gap = max(4, width // 64)
    left = round(longest) + 3 * gap if labels else gap
    line = round(points * 1.35)
    below = line if any(cell.likeness is not None for cell in painted) else 0
    return _Look((width, height), gap, font, line, letters, left, below)


def _drawn(grid: Grid, cells: Mapping[Place, Cell], part: Part, look: _Look) -> Image.Image:
    (width, height), gap, line = look.cell, look.gap, look.line
    heads, told = _texts(grid, part, look)
    title = f"{grid.x.kind} →" + (f"   {grid.y.kind} ↓" if grid.y else "")
    top = gap + line + max(map(len, heads)) * line + gap
    down = top + len(part.rows) * (height + look.below + gap)
    sheet = Image.new("RGB", _measured(grid, part, look), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((gap, gap // 2), title, FAINT, look.font)
    for at, head in enumerate(heads):
        x = look.left + at * (width + gap)
        for number, text in enumerate(head):
            y = top - gap // 2 - (len(head) - number) * line
            pen.text((x + max(0, (width - _length(look.font, text)) // 2), y), text, INK, look.font)
    for at, y in enumerate(part.rows):
        _draw_row(sheet, pen, grid, cells, part, look, y, top + at * (height + look.below + gap))
    for number, text in enumerate(told):
        pen.text((gap, down + number * line), text, INK if number < len(told) - 1 else FAINT, look.font)
    return sheet


def _texts(grid: Grid, part: Part, look: _Look) -> tuple[list[list[str]], list[str]]:
    """The columns' headings and the legend of a part, in lines."""
    across = _across(part, look) - 2 * look.gap
    heads = [_wrapped(grid.x.label(grid.columns[x]), look.letters) for x in part.columns]
    letters = max(8, int(look.letters * across / look.cell[0]))
    return heads, [row for text in legend(grid, part) for row in _wrapped(text, letters)]


def _across(part: Part, look: _Look) -> int:
    return look.left + len(part.columns) * (look.cell[0] + look.gap)


def _measured(grid: Grid, part: Part, look: _Look) -> tuple[int, int]:
    """The width and height that a part takes, in pixels."""
    heads, told = _texts(grid, part, look)
    lines = 1 + max(map(len, heads)) + len(told)
    cells = len(part.rows) * (look.cell[1] + look.below + look.gap)
    return _across(part, look), lines * look.line + cells + 3 * look.gap


def _draw_row(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    grid: Grid,
    cells: Mapping[Place, Cell],
    part: Part,
    look: _Look,
    y: int,
    top: int,
) -> None:
    width, height = look.cell
    label = _wrapped(grid.y.label(grid.rows[y]), look.letters // 2 + 4) if grid.y else []
    for number, text in enumerate(label):
        above = top + (height - len(label) * look.line) // 2
        pen.text((look.gap, above + number * look.line), text, INK, look.font)
    for at, x in enumerate(part.columns):
        left = look.left + at * (width + look.gap)
        cell = cells.get(Place(x, y, part.z))
        if cell is None or not cell.painted or cell.path is None:
            pen.rectangle((left, top, left + width - 1, top + height - 1), outline=FAINT)
            words = cell.state.value if cell is not None and cell.state else "not painted"
            middle = left + (width - _length(look.font, words)) // 2, top + (height - look.line) // 2
            pen.text(middle, words, FAINT, look.font)
            continue
        picture = _opened(cell.path)
        picture.thumbnail((width, height), Image.Resampling.LANCZOS)
        if cell.likeness is not None:
            words = f"likeness {cell.likeness:.0f}"
            pen.text((left + (width - _length(look.font, words)) // 2, top + height), words, FAINT, look.font)
        sheet.paste(picture, (left + (width - picture.width) // 2, top + (height - picture.height) // 2))


def _opened(path: Path) -> Image.Image:
    try:
        with open_header(path) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureError(f"{path} can't be read", "delete it and paint the grid again") from error


def _about(grid: Grid, parts: Sequence[Part]) -> Parameters:
    """What a file says of how it was made."""
    common, part = grid.common, parts[0]
    kinds = {axis.kind for axis in grid.axes}
    extra = {"Script": "X/Y/Z plot"}
    shown = [grid.page_values[each.z] for each in parts]
    page = {axis: list(dict.fromkeys(values[at] for values in shown)) for at, axis in enumerate(grid.pages)}
    for letter, axis, places in (("X", grid.x, part.columns), ("Y", grid.y, part.rows)):
        if axis is not None:
            values = ", ".join(_csv(axis.label(axis.values[at])) for at in places)
            extra |= {f"{letter} Type": axis.kind.value.capitalize(), f"{letter} Values": values}
    for number, (axis, on_them) in enumerate(page.items()):
        letter = "Z" if number == 0 else f"Z{number + 1}"
        values = ", ".join(_csv(axis.label(value)) for value in on_them)
        extra |= {f"{letter} Type": axis.kind.value.capitalize(), f"{letter} Values": values}
    schedule = usual_schedule(common.sampler, common.schedule)
    has_schedule = AxisKind.SAMPLER not in kinds and schedule is not NoiseSchedule.UNIFORM
    prompt = next((on_them[0] for axis, on_them in page.items() if axis.kind is AxisKind.PROMPT), common.prompt)
    return Parameters(
        prompt=prompt,
        negative="" if AxisKind.NEGATIVE in kinds else common.negative,
        steps=None if AxisKind.STEPS in kinds else common.steps,
        sampler=None if AxisKind.SAMPLER in kinds else common.sampler.value,
        schedule=schedule.value if has_schedule else None,
        guidance=None if AxisKind.GUIDANCE in kinds else common.guidance,
        seed=None if AxisKind.SEED in kinds else common.seed,
        extra=extra,
        version=f"Limner {__version__}",
    )


def _csv(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(letter in text for letter in ',"\n') else text


def _wrapped(text: str, letters: int) -> list[str]:
    """A label in lines; one that is longer than all of them ends in an ellipsis."""
    lines = textwrap.wrap(text, max(4, letters), break_on_hyphens=False) or [""]
    if len(lines) > _LONGEST:
        lines = [*lines[: _LONGEST - 1], lines[_LONGEST - 1][: max(1, letters - 1)] + "…"]
    return lines


def _length(font: Font, text: str) -> int:
    return round(font.getlength(text))


def _font(points: int) -> Font:
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, points)
        except OSError:
            continue
    return ImageFont.load_default(points)
