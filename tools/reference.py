"""The pages of the docs site that are made from the code: settings, keys and commands. A hook of ``mkdocs.yml``.

Source: https://www.mkdocs.org/user-guide/configuration/#hooks
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[1]

LINKED = {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}
"""Files beside ``docs/`` that its pages link to."""


def settings_page() -> str:
    """Every setting of ``limner.toml``, a table a section."""
    from engine.settings.form import entries

    lines = ["# Settings", "", "What may stand in a project's `limner.toml`, and in the app's form (`,`)."]
    section = ""
    for each in entries():
        table, _, name = each.key.partition(".")
        if table != section:
            section = table
            lines += ["", f"## {section}", "", "| setting | default | values | |", "|---|---|---|---|"]
        default = _code(each.default)
        lines.append(f"| `{name}` | {_cell(default)} | {_cell(each.kind)} | {_cell(each.meaning)} |")
    return "\n".join(lines) + "\n"


def keys_page() -> str:
    """Every key of the app, a table a screen."""
    from tui.actions import ACTIONS

    lines = ["# Keys", "", "An id is what `config.toml` changes a key by: see [the terminal](../terminal.md)."]
    scope = ""
    for action in sorted(ACTIONS, key=lambda each: list(_scopes(ACTIONS)).index(each.scope)):
        if action.scope != scope:
            scope = action.scope
            lines += ["", f"## {scope.capitalize()}", "", "| keys | | id |", "|---|---|---|"]
        lines.append(f"| {_cell(_code(action.keys_text))} | {_cell(action.description)} | `{action.id}` |")
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Every command with its options, as ``--help`` prints it."""
    from tui.cli.main import limner

    context = click.Context(limner, info_name="limner", max_content_width=100)
    lines = ["# Commands", "", "```", context.get_help(), "```"]
    for words, helped in _commands(limner, context):
        lines += ["", f"## {words}", "", "```", helped, "```"]
    return "\n".join(lines) + "\n"


PAGES = {
    "reference/settings.md": settings_page,
    "reference/keys.md": keys_page,
    "reference/commands.md": commands_page,
}
"""Where each lies in the site."""


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages, and what lies beside ``docs/``. Called by mkdocs."""
    from mkdocs.structure.files import File

    sys.path.insert(0, str(ROOT))
    for path, page in PAGES.items():
        files.append(File.generated(config, path, content=page()))
    for name in sorted(LINKED):
        target = "index.md" if name == "README.md" else f"project/{Path(name).stem.lower()}.md"
        text = (ROOT / name).read_text("utf-8")
        files.append(File.generated(config, target, content=_moved(text, target)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Points links to files beside ``docs/`` to where they lie in the site. Called by mkdocs."""
    if page.file.src_uri.startswith(("reference/", "project/")) or page.file.src_uri == "index.md":
        return markdown
    up = "../" * page.file.src_uri.count("/")
    for name in LINKED:
        place = "index.md" if name == "README.md" else f"project/{Path(name).stem.lower()}.md"
        markdown = markdown.replace(f"]({up}../{name})", f"]({up}{place})")
    return markdown


def _moved(text: str, target: str) -> str:
    """A page from beside ``docs/``, its links as they are from its place in the site."""
    up = "../" * target.count("/")
    for name in LINKED:
        place = "index.md" if name == "README.md" else f"project/{Path(name).stem.lower()}.md"
        text = text.replace(f"]({name})", f"]({up}{place})")
    return text.replace("](docs/", f"]({up}").replace('src="docs/', f'src="{up}')


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, str]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        own = click.Context(command, info_name=name, parent=context, max_content_width=100)
        with contextlib.redirect_stderr(io.StringIO()):
            yield own.command_path, command.get_help(own)
        if isinstance(command, click.Group):
            yield from _commands(command, own)


def _scopes(actions: Any) -> dict[str, None]:
    """The scopes in the order in which they first come."""
    return dict.fromkeys(each.scope for each in actions)


def _code(text: str) -> str:
    """Text as code; a backtick in it needs two around it."""
    around = "``" if "`" in text else "`"
    return f"{around} {text} {around}" if "`" in text else f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
