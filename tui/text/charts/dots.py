"""Braille dots: a cell holds two columns of four."""

from __future__ import annotations

BRAILLE = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a braille cell, by row and column (Unicode, Braille Patterns)."""


class Dots:
    """A sheet of dots, addressed by column and row from the top left."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], int] = {}
        """The bits of each cell that has any, by row and column of cells."""

    def set(self, x: int, y: int) -> None:
        """Sets one dot."""
        key = (y // 4, x // 2)
        self.cells[key] = self.cells.get(key, 0) | DOTS[y % 4][x % 2]

    def line(self, points: list[tuple[int, int]], pattern: str = "#") -> None:
        """Joins points, ordered by column, without gaps; blanks of the pattern, which repeats by column, stay empty."""
        last: tuple[int, int] | None = None
        for x, y in points:
            count = 1 if last is None else max(1, x - last[0], abs(y - last[1]))
            for part in range(1, count + 1):
                over = x if last is None else last[0] + round((x - last[0]) * part / count)
                down = y if last is None else last[1] + round((y - last[1]) * part / count)
                if pattern[over % len(pattern)] != " ":
                    self.set(over, down)
            last = (x, y)

    def letter(self, row: int, column: int) -> str:
        """A cell as a letter; empty where no dot is set."""
        bits = self.cells.get((row, column))
        return chr(BRAILLE | bits) if bits else ""
