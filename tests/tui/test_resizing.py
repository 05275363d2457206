"""A terminal is made larger and smaller while the app is open: no screen breaks, and each comes back as it was."""

from __future__ import annotations

import pytest

from engine.project import Project
from tests.support.pictures import settle
from tests.tui.test_journeys import press, shown, until
from tui.app.app import LimnerApp

ON_THE_WAY = ((200, 60), (40, 10), (120, 40), (12, 3))

LOOKED_AT = {
    "connect": "1",
    "faces": "2",
    "faces as thumbnails": "2 t",
    "two faces": "2 j v",
    "a face being cropped": "2 j z",
    "a dataset": "3 j",
    "a caption being written": "3 enter",
    "a plan": "4 p",
    "a run": "4",
    "prompts": "5 V j j",
    "pictures": "6",
    "a picture seen large": "6 l l enter",
    "an empty grid": "number_sign",
    "settings": "3 comma",
    "help": "2 question_mark",
    "a question": "2 P",
    "the end": "2 q",
}


SOON = ("faces as thumbnails",)
"""Those that are looked at each time; all of them take half a minute and more."""


@pytest.mark.long
@pytest.mark.parametrize(
    "keys",
    [pytest.param(keys, id=name, marks=() if name in SOON else pytest.mark.long) for name, keys in LOOKED_AT.items()],
)
async def test_a_screen_comes_back_as_it_was(whole_story: Project, keys: str) -> None:
    app = LimnerApp(whole_story.root, whole_story)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, *keys.split())
        before = shown(pilot)
        for size in ON_THE_WAY:
            await pilot.resize_terminal(*size)
            await settle(pilot)
            assert shown(pilot).strip(), f"nothing is seen at {size}"
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: shown(pilot) == before)
