"""What a plain prompt is varied in: place, light, clothes, lens, expression. Words that SDXL knows for photographs."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import PromptError

AXES: dict[str, tuple[str, ...]] = {
    "place": (
        *("plain grey background", "in a library", "in a sunlit kitchen", "on a pier by the sea", "in a garden"),
        *("on a city street at dusk", "in a workshop", "in front of a brick wall", "in the mountains"),
    ),
    "light": (
        *("soft window light", "golden hour light", "studio light", "overcast daylight", "candle light"),
        *("rim light from behind", "light of street lamps"),
    ),
    "clothes": (
        *("wearing a navy suit", "wearing a linen shirt", "wearing a wool sweater", "wearing a leather jacket"),
        *("wearing a white t-shirt", "wearing a raincoat"),
    ),
    "lens": ("85mm lens, shallow depth of field", "50mm lens", "35mm film photo", "medium format photo"),
    "expression": ("smiling", "a serious look", "laughing", "looking away", "a calm look"),
}
"""Each axis and what it offers."""

DEFAULT_AXES = ("place", "light", "clothes")


def widen(prompt: str, axes: Sequence[str] = DEFAULT_AXES) -> str:
    """A template that says a plain prompt with every combination of some axes.

    Raises:
        PromptError: an axis that is not known.
    """
    for axis in axes:
        if axis not in AXES:
            raise PromptError(f"there is no axis {axis}", f"take some of: {', '.join(AXES)}")
    return ", ".join([prompt.rstrip(" ,"), *("{" + "|".join(AXES[axis]) + "}" for axis in axes)])
