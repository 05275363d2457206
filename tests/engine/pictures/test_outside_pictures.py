"""Pictures made elsewhere and dropped into the folder, whatever their bytes; and copies of pictures for elsewhere."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.errors import PictureError
from engine.pictures.gallery.export import export_pictures
from engine.pictures.gallery.import_external import Found, look_for_pictures, what_it_tells
from engine.pictures.gallery.ratings import Ratings
from engine.pictures.gallery.rows import Gallery, Shown, order_like
from engine.pictures.orders.orders import order_for
from engine.pictures.orders.queue import Queue
from engine.project import Project
from engine.settings.samplers import Sampler
from engine.storage.database import Store
from tests.support.png import read_parameters

A1111 = (
    "an oil painting of a man, <lora:jx265-000008:0.7>\nNegative prompt: blurry,\nlow contrast\n"
    "Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7.5, Seed: 965400086, Size: 512x768, Model hash: 45dee52b"
)


@pytest.fixture
def store(project: Project) -> Iterator[Store]:
    project.pictures.mkdir()
    with project.store() as opened:
        yield opened


def png(path: Path, text: str | None = None, size: tuple[int, int] = (64, 96)) -> Path:
    info = PngInfo()
    if text is not None:
        info.add_text("parameters", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "teal").save(path, pnginfo=info)
    return path


def pictures(project: Project, store: Store) -> list[Shown]:
    look_for_pictures(project, store)
    return Gallery(store).pictures()


class TestPicturesFromElsewhere:
    def test_a_picture_that_a1111_painted_tells_all_that_made_it(self, project: Project, store: Store) -> None:
        png(project.pictures / "from elsewhere" / "00001-965400086.png", A1111)
        assert look_for_pictures(project, store) == Found(1, 0, 0, ())
        found = Gallery(store).pictures()[0]
        assert found.prompt == "an oil painting of a man, <lora:jx265-000008:0.7>"
        assert found.negative == "blurry,\nlow contrast"
        assert (found.lora_name, found.strength, found.seed) == ("jx265-000008", 0.7, 965400086)
        assert (found.steps, found.guidance, found.sampler) == (20, 7.5, "DPM++ 2M")
        assert (found.width, found.height, found.outside) == (64, 96, 1), "as large as the file is, not as it says"
        assert not look_for_pictures(project, store).changed, "nothing is found twice"

    @pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le"])
    @pytest.mark.parametrize("kind", ["jpg", "webp"])
    def test_jpeg_and_webp_tell_it_in_their_exif(self, project: Project, store: Store, kind: str, order: str) -> None:
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + A1111.replace("oil", "öil").encode(order)
        Image.new("RGB", (32, 32)).save(project.pictures / f"a.{kind}", exif=exif)
        found = pictures(project, store)[0]
        assert found.prompt.startswith("an öil painting")
        assert found.seed == 965400086

    def test_one_that_tells_nothing_is_a_picture_all_the_same(self, project: Project, store: Store) -> None:
        png(project.pictures / "plain.png")
        png(project.pictures / "words.png", "just words, a: b")
        words, plain = sorted(pictures(project, store), key=lambda each: each.path, reverse=True)
        assert (plain.prompt, plain.seed, plain.steps, plain.sampler) == ("", None, None, None)
        assert (words.prompt, words.seed) == ("just words, a: b", None)
        assert Ratings(store).rate([plain.id], 4).pictures == (plain.id,)

    def test_painted_ones_hidden_ones_grids_and_copies_are_not_found_again(
        self, project: Project, store: Store
    ) -> None:
        order = order_for(project, "a man", seed=1)
        painted, coming = Queue(store).add([order, order_for(project, "a man", seed=2)])
        Queue(store).finish(painted.id, png(project.pictures / "1.png"), 1.0)
        png(coming.path)
        for name in (".2.7.png", "grids/sheet.png", "favourites/1.png", ".thumbnails/a.png", "1-before-face-fix.png"):
            png(project.pictures / name)
        (project.pictures / "notes.txt").write_text("hello")
        assert look_for_pictures(project, store) == Found(0, 0, 0, ())

    def test_a_file_that_goes_is_noted_and_keeps_its_stars_until_it_is_back(
        self, project: Project, store: Store
    ) -> None:
        path = png(project.pictures / "a.png")
        number = pictures(project, store)[0].id
        Ratings(store).rate([number], 5)
        kept = path.read_bytes()
        path.unlink()
        assert look_for_pictures(project, store) == Found(0, 1, 0, ())
        assert not look_for_pictures(project, store).changed
        assert Gallery(store).picture(number).gone
        path.write_bytes(kept)
        assert look_for_pictures(project, store) == Found(0, 0, 1, ())
        assert (Gallery(store).picture(number).rating, Gallery(store).picture(number).gone) == (5, 0)

    def test_no_folder_is_an_empty_one(self, project: Project, store: Store) -> None:
        project.pictures.rmdir()
        assert look_for_pictures(project, store) == Found(0, 0, 0, ())

    def test_it_is_no_business_of_the_queue(self, project: Project, store: Store) -> None:
        png(project.pictures / "a.png", A1111)
        number = pictures(project, store)[0].id
        assert Queue(store).pictures() == []
        assert Queue(store).take() is None
        assert Queue(store).picture(number).seed == 965400086
        assert not Queue(store).cancel(number)

    def test_more_like_it_follows_the_picture_and_else_the_settings(self, project: Project, store: Store) -> None:
        project.change({"painting.steps": 33, "painting.guidance_scale": 4.0})
        png(project.pictures / "a.png", A1111)
        png(project.pictures / "b.png", "only words")
        png(project.pictures / "c.png")
        known = {each.name: each.id for each in pictures(project, store)}
        order = order_like(project, store, known["a.png"], 7)
        assert (order.seed, order.steps, order.guidance, order.sampler) == (7, 20, 7.5, Sampler.DPMPP_2M)
        assert (order.schedule.value, order.width, order.height) == ("Karras", 64, 96)
        order = order_like(project, store, known["b.png"], 7)
        assert (order.prompt, order.steps, order.guidance) == ("only words", 33, 4.0)
        with pytest.raises(PictureError, match=r"c\.png does not say its prompt"):
            order_like(project, store, known["c.png"], 7)


def bomb() -> bytes:
    """A PNG that says it is 60,000 pixels a side."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", b"") + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_text(text: bytes, kind: bytes = b"tEXt") -> bytes:
    whole = BytesIO()
    Image.new("RGB", (2, 2)).save(whole, "PNG")
    data = whole.getvalue()
    return data[:33] + _chunk(kind, b"parameters\0" + text) + data[33:]


LIES = {
    "empty.png": b"",
    "torn.png": b"\x89PNG\r\n\x1a\n\0\0",
    "words.png": b"I am no picture",
    "bomb.png": bomb(),
    "page.webp": b"RIFF\xff\xff\xff\xffWEBPVP8 ",
    "torn.jpg": b"\xff\xd8\xff\xe1\xff\xffExif\0\0II*\0",
}

ODD = {
    "zipped.png": with_text(b"\0" + zlib.compress(b"x" * 50_000_000), b"zTXt"),
    "long.png": with_text(b"a " * 60_000),
    "huge seed.png": with_text(b"a\nSteps: 9, Seed: " + b"9" * 5000 + b", CFG scale: nan"),
    "large seed.png": with_text(b"a\nSteps: 99999999999999999999, Seed: 99999999999999999999, CFG scale: 1e999"),
    "half a letter.png": with_text(b'a\nSteps: 1, Sampler: "\\ud800,", Seed: -4'),
    "nothing.png": with_text(b"\0\0\0"),
    "steering.png": with_text(b"\x1b]52;c;aGk=\x07 \x1b[2J a man"),
    "sampler.png": with_text(b"a\nSteps: 1, Sampler: Restart of mine, Seed: 4"),
}


def test_whatever_lies_in_the_folder_the_others_are_found(project: Project, store: Store) -> None:
    for name, data in {**LIES, **ODD}.items():
        (project.pictures / name).write_bytes(data)
    png(project.pictures / "good.png", A1111)
    (project.pictures / "loop.png").symlink_to("loop.png")
    (project.pictures / "folder.png").mkdir()
    os.mkfifo(project.pictures / "pipe.png")
    (Path(os.fsdecode(os.fsencode(project.pictures) + b"/no text \xff.png"))).write_bytes(ODD["nothing.png"])
    found = look_for_pictures(project, store)
    assert set(found.unreadable) >= {"empty.png", "torn.png", "words.png", "bomb.png"}
    known = {each.name: each for each in Gallery(store).pictures()}
    assert known.keys() >= ODD.keys() - {"zipped.png"} | {"good.png"}
    assert known["huge seed.png"].seed is None
    assert known["large seed.png"].seed is None
    assert known["sampler.png"].seed == 4
    assert json.dumps([list(each) for each in known.values()], allow_nan=False)
    for each in known.values():
        Queue(store).picture(each.id)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_picture_changed_in_any_bytes_is_read_or_is_none(tmp_path: Path, data: st.DataObject) -> None:
    path = png(tmp_path / "a.png", A1111)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    told = what_it_tells(path)
    assert told is None or (told.width > 0 and told.height > 0)


class TestExport:
    def test_copies_keep_their_parameters_to_the_byte(self, project: Project, store: Store, tmp_path: Path) -> None:
        path = png(project.pictures / "a.png", A1111)
        done = export_pictures(project, pictures(project, store), tmp_path / "out")
        assert [each.name for each in done.written] == ["a.png"]
        assert done.written[0].read_bytes() == path.read_bytes()

    def test_without_metadata_the_pixels_alone_are_left(self, project: Project, store: Store, tmp_path: Path) -> None:
        path = png(project.pictures / "a.png", A1111)
        exif = Image.Exif()
        exif[0x0112] = 6
        exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + A1111.encode()
        Image.new("RGB", (40, 20), "red").save(project.pictures / "b.jpg", exif=exif)
        done = export_pictures(project, pictures(project, store), tmp_path / "out", metadata=False)
        written = {each.name: each for each in done.written}
        assert sorted(written) == ["a.png", "b.png"]
        with Image.open(written["a.png"]) as bare, Image.open(path) as whole:
            assert (bare.info, bare.tobytes()) == ({}, whole.tobytes())
        with Image.open(written["b.png"]) as turned:
            assert (turned.size, turned.info, dict(turned.getexif())) == ((20, 40), {}, {})
        assert b"oil" not in written["a.png"].read_bytes() + written["b.png"].read_bytes()
        assert read_parameters(path) is not None, "the picture itself keeps them"

    def test_nothing_is_overwritten_and_the_same_is_not_written_twice(
        self, project: Project, store: Store, tmp_path: Path
    ) -> None:
        png(project.pictures / "a.png", A1111)
        mine = png(tmp_path / "out" / "a.png", "mine")
        before = mine.read_bytes()
        chosen = pictures(project, store)
        first = export_pictures(project, chosen, tmp_path / "out")
        assert [each.name for each in first.written] == ["a-2.png"]
        again = export_pictures(project, chosen, tmp_path / "out")
        assert (again.written, [each.name for each in again.there]) == ((), ["a-2.png"])
        assert mine.read_bytes() == before
        assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["a-2.png", "a.png"]

    def test_what_is_gone_is_told_and_the_others_are_copied(
        self, project: Project, store: Store, tmp_path: Path
    ) -> None:
        png(project.pictures / "a.png")
        gone = png(project.pictures / "b.png")
        chosen = pictures(project, store)
        gone.unlink()
        done = export_pictures(project, chosen, tmp_path / "out", metadata=False)
        assert [each.name for each in done.written] == ["a.png"]
        assert [(path.name, why) for path, why in done.failed] == [("b.png", "No such file or directory")]

    def test_copies_do_not_come_back_as_new_pictures(self, project: Project, store: Store) -> None:
        png(project.pictures / "a.png")
        chosen = pictures(project, store)
        for folder in (project.pictures, project.pictures / "best"):
            with pytest.raises(PictureError, match="would be found as new pictures: take"):
                export_pictures(project, chosen, folder)
        export_pictures(project, chosen, project.pictures / "favourites")
        assert not look_for_pictures(project, store).changed

    def test_a_folder_that_can_not_be_made_is_told(self, project: Project, store: Store, tmp_path: Path) -> None:
        png(project.pictures / "a.png")
        (tmp_path / "file").write_text("")
        with pytest.raises(PictureError, match=r"can't be written .*choose another folder"):
            export_pictures(project, pictures(project, store), tmp_path / "file" / "out")
