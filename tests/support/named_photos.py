"""Photos with names in them, as other programs write them: by exiftool, which shares no code with Limner's reader."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

Corner = tuple[float, float, float, float]
"""x, y, w, h in fractions, by the top left corner."""


@dataclass(frozen=True)
class Drawn:
    """A region that somebody drew on the stored picture."""

    name: str
    box: Corner
    kind: str = "Face"


def stored_box(box: Corner, orientation: int) -> Corner:
    """Where a box of the upright picture lies on the stored one, by its corners: what a camera does that is held so."""
    x, y, w, h = box
    turned = {
        1: lambda a, b: (a, b),
        2: lambda a, b: (1 - a, b),
        3: lambda a, b: (1 - a, 1 - b),
        4: lambda a, b: (a, 1 - b),
        5: lambda a, b: (b, a),
        6: lambda a, b: (b, 1 - a),
        7: lambda a, b: (1 - b, 1 - a),
        8: lambda a, b: (1 - b, a),
    }[orientation]
    (left, top), (right, bottom) = turned(x, y), turned(x + w, y + h)
    return min(left, right), min(top, bottom), abs(right - left), abs(bottom - top)


def mwg(regions: Sequence[Drawn], size: tuple[int, int] | None = None, unit: str = "normalized") -> str:
    """An argument for exiftool: the Metadata Working Group's regions.

    Args:
        regions: what is written.
        size: of the picture that they were drawn on; None: it is left out.
        unit: ``normalized``, or ``pixel`` of that size.
    """
    across, down = size if unit == "pixel" and size else (1, 1)
    listed = []
    for each in regions:
        x, y, w, h = each.box
        area = f"X={(x + w / 2) * across},Y={(y + h / 2) * down},W={w * across},H={h * down},Unit={unit}"
        kind = f",Type={each.kind}" if each.kind else ""
        listed.append(f"{{Area={{{area}}},Name={each.name}{kind}}}")
    applied = f"AppliedToDimensions={{W={size[0]},H={size[1]},Unit=pixel}}," if size else ""
    return f"-XMP-mwg-rs:RegionInfo={{{applied}RegionList=[{','.join(listed)}]}}"


def mp(regions: Sequence[Drawn]) -> str:
    """An argument for exiftool: Microsoft's regions."""
    listed = []
    for each in regions:
        x, y, w, h = each.box
        listed.append(f"{{Rectangle={x}|, {y}|, {w}|, {h},PersonDisplayName={each.name}}}")
    return f"-XMP-MP:RegionInfoMP={{Regions=[{','.join(listed)}]}}"


def write(path: Path, *arguments: str) -> Path:
    """Has exiftool write into a photo, or make a sidecar; it changes nothing else."""
    words = ["exiftool", "-q", "-q", "-overwrite_original", *arguments, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return path


def packet_of(path: Path) -> bytes:
    """A photo's XMP, as exiftool reads it."""
    return subprocess.run(["exiftool", "-b", "-XMP", str(path)], capture_output=True, timeout=60, check=True).stdout


def extended(path: Path, packet: bytes, room: int = 300) -> Path:
    """Puts a packet into a JPEG's further XMP, in parts of ``room`` bytes from the last to the first, with a main
    packet that names them (ISO 16684-3, 1.1.3)."""
    guid = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper().encode()
    main = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="'
        + guid
        + b'"/></rdf:RDF></x:xmpmeta>'
    )
    segments = [b"http://ns.adobe.com/xap/1.0/\0" + main]
    for place in reversed(range(0, len(packet), room)):
        head = b"http://ns.adobe.com/xmp/extension/\0" + guid
        where = len(packet).to_bytes(4, "big") + place.to_bytes(4, "big")
        segments.append(head + where + packet[place : place + room])
    with Image.open(path) as image:
        image.convert("RGB").save(path, quality=95)
    data = path.read_bytes()
    written = b"".join(b"\xff\xe1" + (len(each) + 2).to_bytes(2, "big") + each for each in segments)
    path.write_bytes(data[:2] + written + data[2:])
    return path
