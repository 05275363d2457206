"""HEIC files that are a grid of one tile (ISO 23008-12, 6.6.2.3): a few kilobytes for millions of pixels."""

from __future__ import annotations

import struct


def grid(tile: bytes, columns: int, rows: int, side: int = 512) -> bytes:
    """A HEIC of ``columns`` × ``rows`` tiles, each an item of its own with the same coded data.

    Args:
        tile: a HEIC of one item of ``side`` × ``side`` pixels.
        columns: at most 256.
        rows: at most 256.
        side: pixels.
    """
    at = tile.index(b"mdat")
    coded = tile[at + 4 : at - 4 + int.from_bytes(tile[at - 4 : at], "big")]
    brand = _box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    before = len(brand) + len(_meta(tile, columns, rows, side, len(coded), 0)) + 8
    return brand + _meta(tile, columns, rows, side, len(coded), before) + _box(b"mdat", coded)


def _meta(tile: bytes, columns: int, rows: int, side: int, length: int, offset: int) -> bytes:
    numbers = range(2, 2 + columns * rows)
    count = 1 + len(numbers)
    grid = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, side * columns, side * rows)
    places = (struct.pack(">HHHHII", each, 0, 0, 1, offset, length) for each in numbers)
    properties = _box(
        b"ipco",
        _found(tile, b"hvcC"),
        _full(b"ispe", 0, 0, struct.pack(">II", side, side)),
        _full(b"ispe", 0, 0, struct.pack(">II", side * columns, side * rows)),
    )
    # The grid has the third of these properties, each tile the first (which it needs) and the second.
    whose = (struct.pack(">HBB", 1, 1, 3), *(struct.pack(">HBBB", each, 2, 0x81, 2) for each in numbers))
    made_of = struct.pack(f">HH{len(numbers)}H", 1, len(numbers), *numbers)
    return _full(
        b"meta",
        0,
        0,
        _full(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)),
        _full(b"pitm", 0, 0, struct.pack(">H", 1)),
        _full(
            *(b"iloc", 1, 0),
            struct.pack(">BBH", 0x44, 0, count),
            struct.pack(">HHHHII", 1, 1, 0, 1, 0, len(grid)),
            *places,
        ),
        _full(b"iinf", 0, 0, struct.pack(">H", count), _item(1, b"grid"), *(_item(each, b"hvc1") for each in numbers)),
        _box(b"iprp", properties, _full(b"ipma", 0, 0, struct.pack(">I", count), *whose)),
        _full(b"iref", 0, 0, _box(b"dimg", made_of)),
        _box(b"idat", grid),
    )


def _item(number: int, kind: bytes) -> bytes:
    """Tiles are hidden, so that the grid is the file's only picture."""
    return _full(b"infe", 2, int(number > 1), struct.pack(">HH", number, 0), kind, b"\0")


def _box(kind: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I", 8 + len(data)) + kind + data


def _full(kind: bytes, version: int, flags: int, *content: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *content)


def _found(data: bytes, kind: bytes) -> bytes:
    at = data.index(kind) - 4
    return data[at : at + int.from_bytes(data[at : at + 4], "big")]
