"""Painting a picture's faces anew, larger: what is asked for, and where on the picture it happens. No torch.

A face that is small on a picture has few of the latents that the model paints in, and comes out smeared. It is cut out
with what is around it, painted at the base model's own size with little noise, and laid back with soft edges: what
ADetailer does for A1111, by whose documentation the numbers are named and chosen
(https://github.com/Bing-su/adetailer). Its confidence of 0.3 belongs to another detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from PIL import Image, ImageDraw, ImageFilter

from engine.errors import PictureError
from engine.faces.photo.geometry import Box

USUAL_SIDE = 1024
"""Pixels a side of the base model that ``grow``, ``blur`` and ``padding`` are meant for; others get a like share."""

ROUND = 1.15
"""The ellipse that is laid back, in sides of the face's box: ears and chin reach a little over it."""


@dataclass(frozen=True)
class FaceFix:
    """How faces are painted anew."""

    confidence: float = 0.9
    """The score of a detected face, 0 to 1, from which it counts as one."""
    most: int = 0
    """Only so many faces, the largest; 0: all of them."""
    denoise: float = 0.4
    """How much of the face is painted anew, above 0, at most 1."""
    context: float = 2.0
    """The part that is cut out, in sides of the face's box, 1 to 5."""
    padding: int = 32
    """Pixels that it reaches over the box at least."""
    grow: int = 4
    """Pixels by which what is laid back is larger than the face."""
    blur: int = 4
    """Pixels over which its edge is soft."""
    largest: float = 0.45
    """A face that is higher than this share of the picture is good as it is."""
    only: bool = False
    """The order's source is fixed as it is; nothing else is painted."""

    def record(self) -> dict[str, Any]:
        """As an order keeps it."""
        return asdict(self)


def face_fix_from(record: Mapping[str, Any] | None) -> FaceFix | None:
    """Reads what ``record`` wrote, an older Limner's too."""
    if record is None:
        return None
    known = {each.name for each in fields(FaceFix)}
    return FaceFix(**{key: value for key, value in record.items() if key in known})


_RANGES = {
    "confidence": (0.0, 1.0),
    "most": (0, 100),
    "denoise": (0.01, 1.0),
    "context": (1.0, 5.0),
    "padding": (0, 512),
    "grow": (0, 256),
    "blur": (0, 256),
    "largest": (0.0, 1.0),
}


def checked_fix(fix: FaceFix, has_source: bool) -> None:
    """Raises PictureError for a number out of its range, or where there is nothing to fix."""
    for name, (least, most) in _RANGES.items():
        if not least <= getattr(fix, name) <= most:
            raise PictureError(
                f"the face fix's {name} {getattr(fix, name):g} is invalid", f"give {least:g} to {most:g}"
            )
    if fix.only and not has_source:
        raise PictureError("no picture was given to fix the faces of", "name it with --from")


@dataclass(frozen=True)
class Part:
    """What is cut out around a face, in pixels of the picture: a square, and the face's box in it."""

    left: int
    top: int
    side: int
    face: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels of the whole picture."""

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom, as Pillow's ``crop`` takes them."""
        return self.left, self.top, self.left + self.side, self.top + self.side


def part_around(box: Box, size: tuple[int, int], fix: FaceFix, native: int) -> Part | None:
    """What to paint anew for a face; None where that would gain nothing.

    That is where the face fills much of the picture, or where the part is no smaller than what the base model paints:
    it has as many latents as it can have.

    Args:
        box: the face's.
        size: the picture's, in pixels.
        fix: how.
        native: pixels a side that the base model was made for.
    """
    left, top, right, bottom = box.clamped().pixels(*size)
    face = max(right - left, bottom - top)
    if min(right - left, bottom - top) < 1 or (bottom - top) > fix.largest * size[1]:
        return None
    padding = fix.padding * native / USUAL_SIDE
    side = min(round(max(face * fix.context, face + 2 * padding)), *size)
    if side >= native:
        return None
    x, y = (round((low + high - side) / 2) for low, high in ((left, right), (top, bottom)))
    x, y = (min(max(at, 0), whole - side) for at, whole in zip((x, y), size, strict=True))
    return Part(x, y, side, (left, top, right, bottom))


def lay_back(picture: Image.Image, part: Part, painted: Image.Image, fix: FaceFix, native: int) -> Image.Image:
    """The picture with a part that was painted anew; beyond the soft edge nothing of it changes.

    Args:
        picture: the whole picture, RGB.
        part: where.
        painted: the part, at any size.
        fix: how.
        native: pixels a side that the base model was made for.
    """
    scale = native / USUAL_SIDE * part.side / native
    grow, blur = fix.grow * scale, fix.blur * scale
    left, top, right, bottom = part.face
    across, down = (right - left) * ROUND / 2 + grow, (bottom - top) * ROUND / 2 + grow
    x, y = (left + right) / 2 - part.left, (top + bottom) / 2 - part.top
    mask = Image.new("L", (part.side, part.side))
    ImageDraw.Draw(mask).ellipse((x - across, y - down, x + across, y + down), fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(max(blur, SOFTEST)))
    whole = picture.copy()
    whole.paste(painted.resize(mask.size, Image.Resampling.LANCZOS), part.corners[:2], mask)
    return whole


SOFTEST = 0.7
"""Pixels: an edge that is harder than this shows steps."""
