"""The docs site has a page of all settings, keys and commands, and each page of the docs in its list."""

from __future__ import annotations

import re
from pathlib import Path

from engine.settings.form import entries
from tools.reference import LINKED, PAGES, commands_page, keys_page, settings_page
from tui.actions import ACTIONS
from tui.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]


def test_every_setting_key_and_command_is_in_the_reference() -> None:
    settings, keys, commands = settings_page(), keys_page(), commands_page()
    assert [each.key for each in entries() if f"| `{each.key.partition('.')[2]}` |" not in settings] == []
    assert [each.id for each in ACTIONS if f"`{each.id}` |" not in keys] == []
    assert [name for name in COMMANDS if f"## limner {name}\n" not in commands] == []


def test_every_page_of_the_docs_is_in_the_site_s_list() -> None:
    listed = set(re.findall(r"- (\S+\.md)", (ROOT / "mkdocs.yml").read_text("utf-8")))
    made = {*PAGES, "index.md", *(f"project/{Path(name).stem.lower()}.md" for name in LINKED)}
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert listed <= there | made
    # The records of decisions have a list of their own.
    assert {name for name in there - listed if not name.startswith("decisions/")} == set()
