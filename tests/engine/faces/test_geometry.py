"""Crops are squares inside the picture, shifted before they are shrunk, whatever the box."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.faces.photo.geometry import FACE_SHARE, Box, Framing, crop_square

unit = st.floats(0, 1)
sides = st.integers(1, 6000)


@given(x=unit, y=unit, w=unit, h=unit, width=sides, height=sides, framing=st.sampled_from(Framing))
def test_a_crop_is_a_square_inside_the_picture_as_large_as_it_can_be(
    x: float, y: float, w: float, h: float, width: int, height: int, framing: Framing
) -> None:
    box = Box(x, y, w, h)
    left, top, right, bottom = box.clamped().pixels(width, height)
    if right - left < 1 or bottom - top < 1:
        with pytest.raises(ValueError, match="no area"):
            crop_square(box, width, height, framing)
        return
    crop = crop_square(box, width, height, framing)
    assert crop.left >= 0
    assert crop.top >= 0
    assert crop.left + crop.side <= width
    assert crop.top + crop.side <= height
    wanted = max(right - left, bottom - top) / FACE_SHARE[framing]
    assert abs(crop.side - min(wanted, width, height)) <= 1, "shrunk only where the picture is smaller"
    # Half a pixel each for the side and the place, which are whole.
    middle = ((left + right) / 2, (top + bottom) / 2)
    assert crop.left - 1 <= middle[0] <= crop.left + crop.side + 1
    assert crop.top - 1 <= middle[1] <= crop.top + crop.side + 1


def test_a_crop_at_the_edge_is_moved_in_and_keeps_its_size() -> None:
    middle = crop_square(Box(0.45, 0.4, 0.1, 0.1), 1000, 1000, Framing.CLOSE)
    corner = crop_square(Box(0.9, 0.9, 0.1, 0.1), 1000, 1000, Framing.CLOSE)
    assert corner.side == middle.side == 238
    assert (corner.left, corner.top) == (762, 762)


def test_eyes_of_a_close_up_lie_at_two_fifths() -> None:
    crop = crop_square(Box(0.4, 0.4, 0.2, 0.2), 1000, 1000, Framing.CLOSE)
    middle_of_face = (500 - crop.top) / crop.side
    assert middle_of_face == pytest.approx(0.47, abs=0.01)
