"""Commands about the project and about Limner itself: ``new``, ``keys``, ``locate``."""

from __future__ import annotations

from pathlib import Path

import click

from engine.project import create_project
from tui.cli.report import document, json_option, narrate, table
from tui.text.sanitize import sanitize


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", "trigger", default="jx265", show_default=True, help="The trigger word.")
@click.option("--class", "class_word", default="person", show_default=True, help="man, woman, person …")
def new(folder: Path, trigger: str, class_word: str) -> None:
    """Make a project folder for one person."""
    project = create_project(folder, trigger, class_word)
    narrate(f"Made {sanitize(str(project.root))}. Next: limner -C {sanitize(str(folder))} connect URL --originals DIR")


@click.command()
@json_option
def keys(as_json: bool) -> None:
    """List the app's keys by screen, with your own from config.toml (see limner locate)."""
    from tui.actions import ACTIONS
    from tui.places import config_folder
    from tui.theming.keymap import keymap_of
    from tui.theming.user_config import read_config

    keymap = keymap_of(read_config(config_folder()))
    for problem in keymap.problems:
        narrate(problem.one_line())
    actions = keymap.all(ACTIONS)
    if as_json:
        document({"keys": [{**action.record(), "yours": action.id in keymap.keys} for action in actions]})
        return
    table(("where", "keys", "what", "id"), [(a.scope, a.keys_text, a.description, a.id) for a in actions])


@click.command()
@json_option
@click.pass_obj
def locate(folder: Path, as_json: bool) -> None:
    """Show where Limner keeps its files on this machine."""
    from tui.places import places

    found = places(folder)
    if as_json:
        document({"places": [{"name": name, "path": str(path)} for name, path in found.items()]})
        return
    table(("what", "where"), [(name, str(path)) for name, path in found.items()])
