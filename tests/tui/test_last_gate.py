"""Text from outside in a field that is typed into: nothing of it steers the terminal."""

from __future__ import annotations

import re

from engine.project import Project
from tests.support.pictures import settle
from tests.support.story import with_dataset
from tests.tui.test_journeys import press, shown
from tui.app.app import LimnerApp

STEERS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


async def test_another_program_s_caption_steers_nothing_while_edited(story: Project) -> None:
    first = sorted(with_dataset(story).dataset.glob("*/*.txt"))[0]
    first.write_text("jx265, man\x1b]0;title\x07, \x9b2J \u202edrawkcab\n", "utf-8")
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "3", "i")
        seen = shown(pilot)
    assert "drawkcab" in seen
    assert STEERS.findall(seen) == []
