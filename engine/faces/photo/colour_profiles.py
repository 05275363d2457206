"""Colours as what looks at them expects: sRGB, whatever colour profile a picture brings along.

The same numbers are other colours under another profile: iPhones write Display P3, cameras and raw converters Adobe RGB
or ProPhoto, print houses CMYK. Models, crops and screens take numbers for sRGB, and no profile is written with a
training image. So pixels are converted by LittleCMS, through Pillow's ImageCms (ICC.1:2022; relative colorimetric with
black point compensation, what Photoshop does unless told otherwise).
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from itertools import product

from PIL import Image, ImageCms

ALIKE = 1
"""By how much, of 255, a profile's colours may differ from sRGB's for the pixels to be left as they are."""

KNOWN_AT_ONCE = 16
"""Profiles whose conversion is kept: a library's photos share a few."""

_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Pillow's mode for the pixels of a profile's colour space."""


class UnusableProfile(ValueError):
    """A colour profile that is damaged, or is of another kind of pixels; says which of both."""


def in_srgb(image: Image.Image) -> Image.Image:
    """The picture's pixels as sRGB: the same object where they are that already, or nothing says otherwise. A profile
    that can't be used is passed over; ``profile_problem`` tells of it.

    Args:
        image: loaded; of any mode. Transparency stays.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    try:
        pixels, alpha = _split(image, profile)
        transform = _transform(profile, pixels.mode)
    except UnusableProfile:
        return image
    if transform is None:
        return image
    converted = transform.apply(pixels)
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def profile_problem(profile: bytes | None, mode: str) -> str | None:
    """Why a profile can't be used for pixels of a mode; None where it can, or there is none."""
    if not profile:
        return None
    try:
        _transform(profile, _mode_for(profile, mode))
    except UnusableProfile as error:
        return str(error)
    return None


def _split(image: Image.Image, profile: bytes) -> tuple[Image.Image, Image.Image | None]:
    """Pixels in the profile's own kind, and what is transparent, if anything is."""
    mode = _mode_for(profile, image.mode)
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA") if mode == "RGB" else image.convert("LA")
        alpha = image.getchannel("A")
    return image.convert(mode) if image.mode != mode else image, alpha


def _mode_for(profile: bytes, mode: str) -> str:
    """The mode that pixels of ``mode`` are converted from. Grey pixels may bear a profile of colours."""
    own = _MODES.get(profile[16:20].decode("latin-1"))
    grey = mode in ("L", "LA", "1", "I", "F") or mode.startswith("I;")
    fits = own is not None and (own == "CMYK") == (mode == "CMYK") and (own != "L" or grey) and mode != "LAB"
    if own is None or not fits:
        raise UnusableProfile(f"its colour profile is not for {mode} pixels")
    return own


@lru_cache(maxsize=KNOWN_AT_ONCE)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What converts pixels of a profile; None where they are sRGB as they are.

    Raises:
        UnusableProfile: it is damaged.
    """
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return transform if mode == "CMYK" or _changes(transform, mode) else None
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise UnusableProfile("its colour profile is damaged") from error


def _changes(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a conversion changes any of some hundred colours by more than ``ALIKE``."""
    levels = range(0, 256, 17)
    colours = (
        bytes(value for colour in product(levels, repeat=3) for value in colour) if mode == "RGB" else bytes(levels)
    )
    before = Image.frombytes(mode, (len(colours) // len(mode), 1), colours)
    after = transform.apply(before)
    return max(abs(a - b) for a, b in zip(after.tobytes(), before.convert("RGB").tobytes(), strict=True)) > ALIKE
