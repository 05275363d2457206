"""Regions that exiftool wrote are read as they were drawn, in every format and however the camera was held."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from engine.faces.photo.geometry import Box
from engine.faces.photo.stored import read_stored
from engine.faces.regions.region_list import LONGEST_NAME, Kind, clean_name, read_regions
from engine.faces.regions.sources import read_told
from engine.faces.regions.upright import basis_of, upright_box
from tests.support.astronaut import TURNED
from tests.support.named_photos import Drawn, extended, mp, mwg, packet_of, stored_box, write
from tests.support.rows import usual

FACE = (0.55, 0.1, 0.2, 0.3)
"""Far from the middle and no square: another turn lies elsewhere."""

SIZE = (160, 120)
FORMATS = (".jpg", ".png", ".webp", ".tif", ".avif", ".heic")
HEIC = Path(__file__).parents[3] / "hostile/heic"
WAYS = [(suffix, orientation) for suffix in FORMATS for orientation in range(1, 9)]


def photo(folder: Path, suffix: str, orientation: int = 1) -> tuple[Path, tuple[int, int]]:
    """A photo of a camera held that way, and the size of the picture as it is stored."""
    path = folder / f"photo{suffix}"
    if suffix == ".heic":
        # No package at hand writes HEIC: one of an upright picture, and one that is turned by 90 degrees.
        shutil.copy(HEIC / ("turned.heic" if orientation == 6 else "plain.heic"), path)
        return path, (64, 48)
    picture = Image.linear_gradient("L").resize(SIZE).convert("RGB")
    stored = picture.transpose(TURNED[orientation]) if orientation in TURNED else picture
    exif = Image.Exif()
    exif[274] = orientation
    stored.save(path, exif=exif)
    return path, stored.size


def near(box: Box, corner: tuple[float, float, float, float]) -> bool:
    return box.overlap(Box(*corner)) > 0.99


def read(path: Path) -> list[tuple[str, Kind, Box]]:
    """The regions of a photo on its upright picture."""
    told = read_told(path.parent, path.name, ())
    assert told.problems == ()
    return [
        (region.name, region.kind, upright_box(region.box, basis_of(listed, told.photo).orientation))
        for listed in told.lists
        for region in listed.regions
    ]


@pytest.mark.parametrize(
    "way",
    usual(
        [each for each in WAYS if each[0] != ".heic" or each[1] in (1, 6)],
        [(".jpg", 6), (".png", 8), (".webp", 5), (".tif", 7), (".avif", 6), (".heic", 6), (".heic", 1), (".jpg", 2)],
        name=lambda way: f"{way[0][1:]}-{way[1]}",
    ),
)
def test_both_ways_lie_on_the_face_in_every_format_and_turn(tmp_path: Path, way: tuple[str, int]) -> None:
    suffix, orientation = way
    path, size = photo(tmp_path, suffix, orientation)
    drawn = [Drawn("Anna Ek", stored_box(FACE, orientation))]
    write(path, mwg(drawn, size), mp(drawn))
    assert read_stored(path).size == size
    found = read(path)
    assert [(name, kind) for name, kind, _ in found] == [("Anna Ek", Kind.FACE)] * 2
    assert all(near(box, FACE) for *_, box in found)


def test_areas_are_by_their_middle_and_rectangles_by_their_corner(tmp_path: Path) -> None:
    path, size = photo(tmp_path, ".jpg")
    write(path, mwg([Drawn("A", FACE)], size), mp([Drawn("B", FACE)]))
    text = packet_of(path)
    assert b'stArea:x="0.65"' in text or b"<stArea:x>0.65" in text
    assert b"0.55, 0.1, 0.2, 0.3" in text
    assert all(near(box, FACE) for *_, box in read(path))


@pytest.mark.parametrize("size", [SIZE, (800, 600)])
def test_areas_in_pixels_are_of_the_size_that_is_told(tmp_path: Path, size: tuple[int, int]) -> None:
    path, _ = photo(tmp_path, ".jpg")
    write(path, mwg([Drawn("A", FACE)], size, unit="pixel"))
    assert near(read(path)[0][2], FACE)


ATTRIBUTES = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#">
<rdf:Description rdf:about=""><mwg-rs:Regions><rdf:Description>
<mwg-rs:AppliedToDimensions stDim:w="160" stDim:h="120" stDim:unit="pixel"/>
<mwg-rs:RegionList><rdf:Bag>{items}</rdf:Bag></mwg-rs:RegionList>
</rdf:Description></mwg-rs:Regions></rdf:Description></rdf:RDF></x:xmpmeta>"""


def test_fields_may_be_attributes_and_a_circle_is_a_square_around_it(tmp_path: Path) -> None:
    area = '<mwg-rs:Area stArea:x="0.5" stArea:y="0.5" {} stArea:unit="normalized"/>'
    box, circle = (area.format(each) for each in ('stArea:w="0.2" stArea:h="0.1"', 'stArea:d="0.4"'))
    items = (
        f'<rdf:li><rdf:Description mwg-rs:Name="Anna" mwg-rs:Type="Face">{box}</rdf:Description></rdf:li>'
        f'<rdf:li rdf:parseType="Resource"><mwg-rs:Name>Bo &amp; Co</mwg-rs:Name>{circle}</rdf:li>'
        f'<rdf:li mwg-rs:Type="Pet" mwg-rs:Name="Rex" rdf:parseType="Resource">{box}</rdf:li>'
        f'<rdf:li mwg-rs:Type="Focus" rdf:parseType="Resource">{box}</rdf:li>'
        f'<rdf:li mwg-rs:Type="Face" mwg-rs:Name="a point" rdf:parseType="Resource">{area.format("")}</rdf:li>'
        '<rdf:li rdf:parseType="Resource"><mwg-rs:Name>no area</mwg-rs:Name></rdf:li>'
    )
    (listed,) = read_regions(ATTRIBUTES.format(items=items).encode(), SIZE)
    assert listed.applied_to == SIZE
    assert [(each.name, each.kind) for each in listed.regions] == [
        ("Anna", Kind.FACE),
        ("Bo & Co", Kind.FACE),
        ("Rex", Kind.PET),
    ]
    assert near(listed.regions[1].box, (0.35, 0.3, 0.3, 0.4)), "0.4 of 120 pixels either way"


def test_regions_that_have_no_room_in_the_first_part_are_read(tmp_path: Path) -> None:
    path, size = photo(tmp_path, ".jpg")
    write(path, mwg([Drawn("Anna", FACE)], size))
    extended(path, packet_of(path))
    assert [name for name, *_ in read(path)] == ["Anna"]


def test_a_sidecar_with_regions_wins_over_the_photo(tmp_path: Path) -> None:
    path, size = photo(tmp_path, ".jpg")
    write(path, mwg([Drawn("in the photo", FACE)], size))
    full, short = tmp_path / "photo.jpg.xmp", tmp_path / "photo.xmp"

    def told(*names: str) -> list[str]:
        lists = read_told(tmp_path, path.name, names).lists
        return [region.name for listed in lists for region in listed.regions]

    write(short, mwg([Drawn("in the short one", FACE)], size))
    assert told("photo.xmp") == ["in the short one"]
    write(full, mwg([Drawn("in the long one", FACE)], size))
    assert told("photo.jpg.xmp", "photo.xmp") == ["in the long one"]
    full.unlink()
    write(full, "-XMP-dc:Title=no regions")
    assert told("photo.jpg.xmp", "photo.xmp") == ["in the short one"]
    assert told("photo.jpg.xmp") == ["in the photo"]
    assert told() == ["in the photo"]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_compressed_and_plain_packets_are_read(tmp_path: Path, suffix: str) -> None:
    path, size = photo(tmp_path, suffix)
    write(path, "-z", mwg([Drawn("Anna", FACE)], size))
    assert [name for name, *_ in read(path)] == ["Anna"]


def test_names_are_composed_and_hold_nothing_that_can_t_be_seen() -> None:
    assert clean_name("  Zoe\u0308 \t van\n  Dyk ") == "Zoë van Dyk"
    assert clean_name("An\x1b[31mna\x00\u202e") == "An [31mna"
    assert clean_name("\u0627\u200c\u0628") == "\u0627\u200c\u0628", "Persian is written with joiners"
    assert clean_name("\u200b \x07") == ""
    long = clean_name("é" * 5000)
    assert (len(long), unicodedata.is_normalized("NFC", long)) == (LONGEST_NAME, True)
