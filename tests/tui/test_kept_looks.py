"""What themes and keys say is kept for the next start, and never believed once a file has changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tui.places import config_folder, kept_looks_path, user_themes_folder
from tui.theming.appearance_cache import read_looks

THEME = """name = "mine"
[colors]
primary = "#336699"
foreground = "#eeeeee"
background = "{background}"
"""

AGAIN = """
import sys
from tui.theming.appearance_cache import read_looks
told = read_looks()
print("pydantic" in sys.modules, told)
"""

DAMAGE = [b"", b"{", b"[]", b'{"version": "0"}', b"\xff\xfe", b'{"version": null, "stamp": 1}']


@pytest.fixture
def folder() -> Path:
    user_themes_folder().mkdir(parents=True)
    return config_folder()


def write(folder: Path, theme: str = "#000000", keys: str = '"faces.keep" = "k"') -> None:
    (folder / "themes" / "mine.toml").write_text(THEME.format(background=theme))
    (folder / "config.toml").write_text(f'theme = "mine"\nbell = false\n[keys]\n{keys}\n')


def test_a_second_start_has_the_same_themes_without_reading_files_again(folder: Path) -> None:
    write(folder, keys='"faces.keep" = 3')
    (folder / "themes" / "broken.toml").write_text("name = 1")
    first = read_looks()
    assert first.themes["mine"].background == "#000000"
    assert first.config.problems
    assert [problem.path.name for problem in first.broken] == ["broken.toml"]
    code = (
        "import sys; from tui.theming.appearance_cache import read_looks\n"
        "told = read_looks(); print('pydantic' in sys.modules, told)"
    )
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == f"False {first}"


def test_a_file_that_changed_is_read_again(folder: Path) -> None:
    write(folder)
    assert read_looks().themes["mine"].background == "#000000"
    write(folder, "#101010", '"faces.keep" = "space"')
    assert read_looks().themes["mine"].background == "#101010"
    assert read_looks().config.settings.keys == {"faces.keep": "space"}
    (folder / "config.toml").unlink()
    assert read_looks().config.settings.bell


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"version": "0"}', b"\xff\xfe", b'{"version": null, "stamp": 1}']
)
def test_what_was_kept_and_is_damaged_is_read_anew(folder: Path, damage: bytes) -> None:
    write(folder)
    told = read_looks()
    kept_looks_path().write_bytes(damage)
    assert read_looks() == told
    assert kept_looks_path().read_bytes() != damage


def test_where_nothing_can_be_kept_the_files_are_read(folder: Path) -> None:
    write(folder)
    kept_looks_path().parent.parent.mkdir(parents=True, exist_ok=True)
    kept_looks_path().parent.write_text("no folder")
    assert read_looks().themes["mine"].background == "#000000"
