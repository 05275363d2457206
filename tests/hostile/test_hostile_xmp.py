"""Names in photos come from anybody: whatever a packet or a sidecar holds, it is regions or a plain reason, at once."""

from __future__ import annotations

import os
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.faces.photo.stored import read_stored
from engine.faces.regions import xmp
from engine.faces.regions.region_list import MOST_REGIONS, clean_name, read_regions
from engine.faces.regions.sources import Told, read_told
from engine.faces.regions.xmp import XmpError
from engine.library.folder.walk import walk
from tests.support.astronaut import astronaut, save
from tests.support.named_photos import Drawn, extended, mwg, packet_of, write

SIZE = (160, 120)
BOX = (0.1, 0.1, 0.2, 0.2)

HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    ' xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"'
    ' xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"'
    ' xmlns:MP="http://ns.microsoft.com/photo/1.2/" xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"'
    ' xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#"><rdf:Description rdf:about="">'
)
TAIL = "</rdf:Description></rdf:RDF></x:xmpmeta>"


def packet(items: str) -> bytes:
    """A packet with regions of both kinds."""
    listed = f"<mwg-rs:Regions><mwg-rs:RegionList><rdf:Bag>{items}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
    other = f"<MP:RegionInfo><MPRI:Regions><rdf:Bag>{items}</rdf:Bag></MPRI:Regions></MP:RegionInfo>"
    return f"{HEAD}{listed}{other}{TAIL}".encode()


def region(name: str = "A", x: str = "0.5", rest: str = "") -> str:
    return (
        f'<rdf:li mwg-rs:Name="{name}" MPReg:PersonDisplayName="{name}" MPReg:Rectangle="{x}, 0.1, 0.2, 0.2">'
        f'<mwg-rs:Area stArea:x="{x}" stArea:y="0.5" stArea:w="0.2" stArea:h="0.2"/>{rest}</rdf:li>'
    )


ENTITIES = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">{}]>'.format(
    "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12))
)

BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "a billion laughs": (lambda: f"{ENTITIES}<a>&m;</a>".encode(), "declares a document type"),
    "a file in an entity": (
        lambda: b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "declares a document type",
    ),
    "a document type elsewhere": (lambda: b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>', "document type"),
    "an entity that nobody declared": (lambda: packet("&a;"), "no well-formed XML"),
    "deep nesting": (lambda: b"<a>" * 1_000_000, "nested more than 64 deep"),
    "deep regions": (lambda: packet("<rdf:Description>" * 100_000), "nested more than 64 deep"),
    "many elements": (lambda: b"<a>" + b"<a/>" * 3_900_000 + b"</a>", "more than 200,000 parts"),
    "many attributes": (
        lambda: b"<a " + b" ".join(b'a%d=""' % number for number in range(900_000)) + b"/>",
        "more than 200,000 parts",
    ),
    "a long namespace": (
        lambda: b'<a xmlns="' + b"n" * 5_000_000 + b'">' + b"<a/>" * 2_000_000 + b"</a>",
        "more than 200,000 parts",
    ),
    "many regions": (lambda: packet(region() * (MOST_REGIONS + 1)), f"more than {MOST_REGIONS:,} regions"),
    "too many bytes": (lambda: b"<a/>" + b" " * xmp.LARGEST_PACKET, "more than 16 MB"),
    "an encoding of no text": (lambda: b'<?xml version="1.0" encoding="zip"?><a/>', "encoding|well-formed"),
    "an unknown encoding": (lambda: b'<?xml version="1.0" encoding="none-such"?><a/>', "encoding|well-formed"),
    "nothing": (lambda: b"", "no well-formed XML"),
    "zeros": (lambda: b"\0" * 1000, "no well-formed XML"),
    "a picture": (lambda: b"\xff\xd8\xff\xe0 no XML", "no well-formed XML"),
    "cut short": (lambda: packet(region())[:-30], "no well-formed XML"),
    "a namespace that is not declared": (lambda: b"<a:b/>", "no well-formed XML"),
}
"""Packets that are refused, and what is said of each."""


@pytest.mark.parametrize("kind", BAD)
def test_a_packet_that_is_none_is_refused_soon_and_in_little_room(kind: str) -> None:
    make, words = BAD[kind]
    data = make()
    tracemalloc.start()
    began = time.monotonic()
    try:
        with pytest.raises(XmpError, match=words):
            read_regions(data, SIZE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < 10, "with the memory traced, which takes most of it"
    assert peak < 200_000_000


ODD = {
    "no numbers": region(x="left"),
    "not a number": region(x="nan"),
    "without end": region(x="1e999") + region(x="-1e308"),
    "many digits": region(x="9" * 1_000_000),
    "outside": region(x="7"),
    "no area": '<rdf:li mwg-rs:Name="A"><mwg-rs:Area/></rdf:li>',
    "an area that is a text": '<rdf:li mwg-rs:Name="A" mwg-rs:Area="0.5"/>',
    "a list for a name": region(name="", rest="<mwg-rs:Name><rdf:Alt/></mwg-rs:Name>"),
    "a list of no items": "<rdf:Bag><rdf:Bag/></rdf:Bag>",
    "a region in a region": region(rest=region(rest=region())),
    "values in values": region(rest="<mwg-rs:Name>" + "<rdf:value>" * 40 + "</rdf:value>" * 40 + "</mwg-rs:Name>"),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_region_is_left_out_and_takes_no_other_with_it(kind: str) -> None:
    lists = read_regions(packet(ODD[kind] + region(name="Good", x="0.3")), SIZE)
    assert [each.regions[-1].name for each in lists] == ["Good", "Good"]
    for each in (region for listed in lists for region in listed.regions):
        assert each.box == each.box.clamped()
        assert each.box.w > 0
        assert each.box.h > 0


def test_a_name_without_end_is_cut() -> None:
    (first, _) = read_regions(packet(region(name="é" * 1_000_000)), SIZE)
    assert len(first.regions[0].name) == 200
    text = packet("<rdf:li><mwg-rs:Name>" + "long " * 1_000_000 + "</mwg-rs:Name></rdf:li>" + region())
    assert len(read_regions(text, SIZE)) == 2


pieces = st.sampled_from(
    [
        *(HEAD.encode(), TAIL.encode(), region().encode(), packet(region()), b"<rdf:Bag>", b"</rdf:Bag>", b"<rdf:li/>"),
        *(
            b"<mwg-rs:Regions>",
            b"</mwg-rs:Regions>",
            b"&amp;",
            b"&#0;",
            b"<![CDATA[",
            b"]]>",
            b"<!-- ",
            b"<?a ?>",
            b"\0",
        ),
        *(b"\xff\xfe", b"\xef\xbb\xbf", b'<?xml version="1.0" encoding="utf-16"?>'),
    ]
)


def regions_or_a_reason(data: bytes) -> None:
    reason = None
    try:
        lists = read_regions(data, SIZE)
    except XmpError as error:
        reason = str(error)
    if reason is None:
        assert all(each.regions for each in lists)
    else:
        assert 0 < len(reason) < 200
        assert reason.isprintable()


@given(st.binary(max_size=300) | st.lists(pieces | st.binary(max_size=6), max_size=8).map(b"".join))
def test_any_bytes_are_regions_or_a_plain_reason(data: bytes) -> None:
    regions_or_a_reason(data)


@given(st.integers(0, 10_000), st.binary(max_size=4))
def test_a_damaged_packet_is_regions_or_a_plain_reason(place: int, some: bytes) -> None:
    whole = packet(region() * 3)
    at = place % len(whole)
    regions_or_a_reason(whole[:at] + some + whole[at:])
    regions_or_a_reason(whole[:at] + some + whole[at + len(some) :])


@given(st.text(max_size=400))
def test_any_name_is_shown_as_one_line(text: str) -> None:
    name = clean_name(text)
    assert name == clean_name(name)
    assert name == " ".join(name.split())
    assert name.replace("\u200c", "").replace("\u200d", "").isprintable()


class TestASidecar:
    def told(self, folder: Path) -> Told:
        (photo,) = walk(folder)
        return read_told(folder, photo.name, photo.sidecars)

    def names(self, told: Told) -> list[str]:
        return [region.name for listed in told.lists for region in listed.regions]

    @pytest.fixture
    def photo(self, tmp_path: Path) -> Path:
        return write(save(tmp_path / "a.jpg", astronaut(160, 120)), mwg([Drawn("its own", BOX)], SIZE))

    def test_that_is_a_link_a_pipe_or_a_folder_is_passed_over(self, photo: Path, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere.txt"
        elsewhere.write_bytes(packet(region("a stranger's")))
        sidecar = tmp_path / "a.jpg.xmp"
        for make in (lambda: sidecar.symlink_to(elsewhere), lambda: os.mkfifo(sidecar), sidecar.mkdir):
            make()
            assert self.names(self.told(tmp_path)) == ["its own"]
            # Even where it was a file when the folder was listed.
            told = read_told(tmp_path, photo.name, [sidecar.name])
            assert self.names(told) == ["its own"]
            assert told.problems[0].startswith("a.jpg.xmp is passed over: ")
            sidecar.rmdir() if sidecar.is_dir() and not sidecar.is_symlink() else sidecar.unlink()

    def test_of_a_hundred_megabytes_is_not_read(self, photo: Path, tmp_path: Path) -> None:
        with (tmp_path / "a.xmp").open("wb") as file:
            file.write(packet(region("endless")))
            file.truncate(100_000_000)
        began = time.monotonic()
        told = self.told(tmp_path)
        assert (self.names(told), told.problems) == (["its own"], ("a.xmp is passed over: it has more than 16 MB",))
        assert time.monotonic() - began < 1

    def test_that_went_away_says_so(self, photo: Path, tmp_path: Path) -> None:
        told = read_told(tmp_path, photo.name, ["a.xmp"])
        assert (self.names(told), told.problems) == (["its own"], ("a.xmp is passed over: No such file or directory",))

    def test_that_is_broken_leaves_the_next_and_the_photo(self, photo: Path, tmp_path: Path) -> None:
        (tmp_path / "a.jpg.xmp").write_bytes(b"no XML")
        (tmp_path / "A.XMP").write_bytes(packet(region("good")))
        told = self.told(tmp_path)
        assert set(self.names(told)) == {"good"}
        assert told.problems == ("a.jpg.xmp is passed over: it is no well-formed XML (syntax error, line 1)",)


class TestAPhotosOwnPacket:
    def test_that_is_broken_is_said_and_the_photo_stays(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.jpg", astronaut(160, 120))
        write(path, mwg([Drawn("Anna", BOX)], SIZE))
        path.write_bytes(path.read_bytes().replace(b"</rdf:RDF>", b"</rdf:RDX>"))
        told = read_told(tmp_path, path.name, ())
        assert (told.photo.upright, told.lists) == (SIZE, ())
        (problem,) = told.problems
        assert problem.startswith("names in it can't be read: it is no well-formed XML (mismatched tag, line ")

    @pytest.mark.parametrize("lost", ["a part", "the length"])
    def test_of_which_a_part_is_missing_is_said(self, tmp_path: Path, lost: str) -> None:
        path = save(tmp_path / "a.jpg", astronaut(160, 120))
        further = packet(region())
        extended(path, further)
        data = path.read_bytes()
        length = len(further).to_bytes(4, "big")
        marker = b"http://ns.adobe.com/xmp/extension/\0"
        assert data.count(marker) > 1
        if lost == "a part":
            data = data.replace(marker, marker[:-2] + b"!\0", 1)
        else:
            data = data.replace(length, b"\xff\xff\xff\xff")
        path.write_bytes(data)
        assert "a part of it is missing" in read_stored(path).problem

    def test_of_a_png_that_unpacks_without_end_is_refused(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.png", astronaut(160, 120))
        data = path.read_bytes()
        packed = zlib.compress(b"<a>" + b" " * 200_000_000)
        body = b"iTXtXML:com.adobe.xmp\0\1\0\0\0" + packed
        chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
        end = data.index(b"IEND") - 4
        path.write_bytes(data[:end] + chunk + data[end:])
        found = read_stored(path)
        assert (found.packets, found.problem) == ((), "unpacked it has more than 16 MB")
        path.write_bytes(data[:end] + chunk.replace(packed, b"x" * len(packed)) + data[end:])
        assert read_stored(path).problem

    def test_that_is_damaged_anywhere_is_regions_or_a_reason(self, tmp_path: Path) -> None:
        # A PNG has a checksum of each part: one that is damaged is refused as a whole.
        for suffix in (".jpg", ".webp", ".tif"):
            path = write(save(tmp_path / f"a{suffix}", astronaut(160, 120)), mwg([Drawn("Anna", BOX)], SIZE))
            whole, text = path.read_bytes(), packet_of(path)
            at = whole.index(text[:40])
            for cut in range(0, len(text), 97):
                path.write_bytes(whole[: at + cut] + b"\xff" * 8 + whole[at + cut + 8 :])
                told = read_told(tmp_path, path.name, ())
                assert not (told.lists and told.problems)
