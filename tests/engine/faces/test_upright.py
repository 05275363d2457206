"""Photos are seen upright whatever way the camera was held, and a broken one says why."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import DatasetError
from engine.faces.crop import cut_from
from engine.faces.photo.geometry import Box, Crop, Framing, crop_square
from engine.faces.photo.jpeg_region import open_part
from engine.faces.photo.loading import BrokenImage, TooLarge, open_header, open_upright, proven_size, upright_size
from engine.training.data.images import fit
from tests.support.astronaut import FACE, astronaut, save
from tests.support.rows import usual

BOXES = {
    "face": Box(*FACE),
    "left edge": Box(-0.05, 0.3, 0.2, 0.2),
    "right edge": Box(0.9, 0.3, 0.3, 0.2),
    "top edge": Box(0.4, -0.1, 0.2, 0.2),
    "bottom edge": Box(0.4, 0.9, 0.2, 0.3),
    "corner": Box(0.95, 0.95, 0.4, 0.4),
    "whole": Box(0, 0, 1, 1),
}


@pytest.mark.parametrize("orientation", usual(range(1, 9), (2, 6, 7)))
@pytest.mark.parametrize(("suffix", "tolerance"), [(".png", 0), (".webp", 0), (".jpg", 8)])
def test_every_crop_of_a_turned_photo_equals_the_crop_of_the_upright_one(
    tmp_path: Path, orientation: int, suffix: str, tolerance: int
) -> None:
    picture = astronaut(width=400)
    path = save(tmp_path / f"turned{suffix}", picture, orientation)
    assert upright_size(path) == proven_size(path) == (400, 512)
    found = open_upright(path)
    for box in BOXES.values():
        for framing in Framing:
            expected, crop = cut_from(picture, box, framing)
            got, same_crop = cut_from(found, box, framing)
            assert same_crop == crop
            assert got.size == (crop.side, crop.side)
            difference = np.abs(np.asarray(got, int) - np.asarray(expected, int))
            assert difference.max() <= tolerance * 4
            assert difference.mean() <= tolerance / 8


def test_a_photo_is_rgb_without_metadata(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", orientation=6)
    found = open_upright(path)
    assert found.mode == "RGB"
    assert not found.getexif()
    assert not found.info


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA"])
def test_other_kinds_of_pixels_become_rgb(tmp_path: Path, mode: str) -> None:
    suffix = ".jpg" if mode == "CMYK" else ".png"
    path = tmp_path / f"a{suffix}"
    astronaut().convert("L" if mode == "LA" else mode).convert(mode).save(path)
    found = open_upright(path)
    assert (found.mode, found.size) == ("RGB", (512, 512))


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert open_upright(tmp_path / "a.png").getpixel((3, 3)) == (255, 255, 255)


def test_sixteen_bit_grey_keeps_its_tones(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    levels = np.asarray(open_upright(tmp_path / "a.png"))[..., 0]
    assert levels.min() == 0
    assert levels.max() == 255
    assert abs(int(levels[8, 0]) - 128) <= 1


def test_a_preview_is_smaller_but_not_too_small_and_upright(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", astronaut(width=400).resize((1600, 2048)), orientation=8)
    found = open_upright(path, at_least=300)
    assert 300 <= max(found.size) <= 700
    assert found.height > found.width


def _broken(path: Path) -> str:
    reasons = set()
    for look in (open_upright, proven_size):
        with pytest.raises(BrokenImage) as caught:
            look(path)
        reasons.add(caught.value.reason)
        assert str(path) in caught.value.what
    (reason,) = reasons
    return reason


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_truncated_photo_is_told(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert _broken(path) == "the file is truncated"


def test_a_photo_cut_short_by_its_last_bytes_is_told(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes()[:-2000])
    assert _broken(path) == "the file is truncated"


def test_a_photo_with_more_after_its_end_is_whole(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes() + b"\0" * 500)
    assert proven_size(path) == (512, 512)


def test_a_png_is_turned_by_exif_behind_its_pixels_without_decoding(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = exif.tobytes().removeprefix(b"Exif\0\0")
    picture = tmp_path / "turned.png"
    Image.new("RGB", (40, 30), "red").save(picture)
    whole = picture.read_bytes()
    chunk = struct.pack(">I", len(data)) + b"eXIf" + data + struct.pack(">I", zlib.crc32(b"eXIf" + data))
    picture.write_bytes(whole[:-12] + chunk + whole[-12:])
    assert open_upright(picture).size == proven_size(picture) == (30, 40)
    # Its pixels are no pixels any more: who asks for the size does not look at them.
    start = whole.index(b"IDAT") + 4
    picture.write_bytes(whole[:start] + bytes(8) + whole[start + 8 : -12] + chunk + whole[-12:])
    assert upright_size(picture) == (30, 40)
    with pytest.raises(BrokenImage):
        open_upright(picture)


def test_a_missing_an_empty_and_a_text_file_are_told_apart(tmp_path: Path) -> None:
    assert _broken(tmp_path / "none.jpg") == "the file is missing"
    (tmp_path / "empty.jpg").touch()
    assert _broken(tmp_path / "empty.jpg") == "the file is empty"
    (tmp_path / "text.jpg").write_text("this is a text\n" * 20)
    assert _broken(tmp_path / "text.jpg") == "the file is not an image"
    (tmp_path / "folder.jpg").mkdir()
    assert _broken(tmp_path / "folder.jpg") == "the file can't be read (Is a directory)"


def test_a_picture_of_absurd_size_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    path.write_bytes(bytes(data))
    assert "too large" in _broken(path)


@pytest.mark.parametrize("height", [13_000, 26_000])
def test_no_picture_that_would_take_all_memory_is_unpacked_anywhere(tmp_path: Path, height: int) -> None:
    """Training images come in bundles too; Pillow by itself only warns of the smaller of these two."""
    path = tmp_path / "bomb.png"
    parts = ((b"IHDR", struct.pack(">IIBBBBB", 20_000, height, 1, 0, 0, 0, 0)), (b"IDAT", b""), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    with pytest.raises(TooLarge, match="too large"):
        open_header(path)
    with pytest.raises(DatasetError, match="can't be read"):
        fit(path, (64, 64))


def test_damaged_exif_is_no_reason_to_refuse_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    astronaut().save(path, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xff" * 30)
    assert open_upright(path).size == (512, 512)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_part_of_a_turned_jpeg_has_the_pixels_that_the_whole_has(tmp_path: Path, orientation: int) -> None:
    path = save(tmp_path / "turned.jpg", astronaut(width=400), orientation)
    whole = open_upright(path)
    for box in BOXES.values():
        for framing in Framing:
            crop = crop_square(box, 400, 512, framing)
            part = open_part(path, (400, 512), crop)
            assert part is not None
            assert part.tobytes() == whole.crop(crop.corners).tobytes()


def test_what_is_no_plain_jpeg_is_left_to_pillow(tmp_path: Path) -> None:
    crop = Crop(10, 10, 100)
    for name, picture in (
        ("a.png", astronaut()),
        ("cmyk.jpg", astronaut().convert("CMYK")),
        ("grey.jpg", astronaut().convert("L")),
    ):
        picture.save(tmp_path / name)
        assert open_part(tmp_path / name, (512, 512), crop) is None
    save(tmp_path / "a.jpg")
    assert open_part(tmp_path / "a.jpg", (512, 400), crop) is None, "the photo was replaced by one of another size"
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 3])
    assert open_part(tmp_path / "a.jpg", (512, 512), Crop(0, 0, 512)) is None
    with pytest.raises(BrokenImage, match="the file is missing"):
        open_part(tmp_path / "gone.jpg", (512, 512), crop)


def test_a_photo_that_changed_is_read_anew(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg")
    crop = Crop(0, 0, 64)
    first = open_part(path, (512, 512), crop)
    save(path, astronaut().transpose(Image.Transpose.ROTATE_180))
    second = open_part(path, (512, 512), crop)
    assert first is not None
    assert second is not None
    assert first.tobytes() != second.tobytes()
