"""``limner prompt list``, ``add``, ``rate`` and ``import``: the library of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from engine.errors import NoProject
from engine.pictures.gallery.found_prompts import import_prompts
from engine.project import Project, open_project
from engine.prompts.shared_prompts import SharedPrompt, share, shared_path, shared_prompts, starter_prompts
from engine.prompts.store import Prompt, PromptStore
from tui.cli.report import document, echo, json_option, narrate, say, table

shared_option = click.option("--shared", is_flag=True, help="For all projects, in your own prompts.toml.")


@click.command("list")
@click.option("--tag", "tags", multiple=True, help="Only with this tag; may be repeated.")
@click.option("--from", "source", type=click.Choice(["project", "shared", "starter"]), help="Only from this source.")
@json_option
@click.pass_obj
def list_(folder: Path, tags: tuple[str, ...], source: str | None, as_json: bool) -> None:
    """List the prompts of this project, your own and Limner's, best first."""
    records = [*_of_project(folder), *_of_all("shared", shared_prompts()), *_of_all("starter", starter_prompts())]
    found = [
        each for each in records if set(tags) <= set(each["tags"]) and (source is None or each["source"] == source)
    ]
    if as_json:
        document({"prompts": found})
        return
    rows = [
        (each["id"] or "", each["source"], f"{each['stars']:.1f}" if each["stars"] else "", each["name"], _shown(each))
        for each in found
    ]
    table(("id", "from", "stars", "name", "prompt"), rows)


@click.command()
@click.argument("text")
@click.option("--negative", default="", help="The negative prompt.")
@click.option("--name", default="", help="A short name.")
@click.option("--tag", "tags", multiple=True, help="A tag; may be repeated.")
@shared_option
@json_option
@click.pass_obj
def add(folder: Path, text: str, negative: str, name: str, tags: tuple[str, ...], shared: bool, as_json: bool) -> None:
    """Save TEXT in the project, or for all projects. TEXT may be empty if --negative is given."""
    added = _added(None if shared else open_project(folder), [SharedPrompt(text, negative, name, tags)])
    _tell(added, shared, as_json)


@click.command()
@click.argument("number", type=int, metavar="ID")
@click.argument("stars", type=click.IntRange(-1, 5))
@json_option
@click.pass_obj
def rate(folder: Path, number: int, stars: int, as_json: bool) -> None:
    """Rate the project's prompt ID with 1 to 5 STARS; 0 removes the rating. To drop it: limner prompt rate -- ID -1."""
    with open_project(folder).store() as store:
        rated = PromptStore(store).rate(number, stars)
    if as_json:
        document({"prompts": [_record(rated)]})
        return
    echo("dropped" if stars < 0 else f"{stars} of 5")


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@shared_option
@json_option
@click.pass_obj
def import_(folder: Path, files: Sequence[Path], shared: bool, as_json: bool) -> None:
    """Import prompts from FILES: A1111's styles.csv, or PNGs of A1111, Forge and ComfyUI."""
    project = None if shared else open_project(folder)
    found: list[SharedPrompt] = []
    for file in files:
        imported = import_prompts(file, project.settings.person if project else None)
        found += imported.prompts
        for note in imported.notes:
            narrate(note)
    _tell(_added(project, found), shared, as_json)


def _added(project: Project | None, prompts: Sequence[SharedPrompt]) -> list[dict[str, Any]]:
    """Keeps prompts and returns their records."""
    if project is None:
        share(list(prompts))
        return _of_all("shared", prompts)
    with project.store() as store:
        shelf = PromptStore(store)
        return [_record(shelf.add(each.text, each.negative, name=each.name, tags=each.tags)) for each in prompts]


def _tell(added: Sequence[dict[str, Any]], shared: bool, as_json: bool) -> None:
    if as_json:
        document({"prompts": list(added)})
        return
    for each in added:
        say("  ".join(str(part) for part in (each["id"], each["name"], _shown(each)) if part))
    narrate(f"{len(added)} in {shared_path() if shared else 'the project'}.")


def _of_project(folder: Path) -> list[dict[str, Any]]:
    try:
        project = open_project(folder)
    except NoProject:
        return []
    with project.store() as store:
        return [_record(each) for each in PromptStore(store).prompts()]


def _of_all(source: str, prompts: Sequence[SharedPrompt]) -> list[dict[str, Any]]:
    return [
        {
            "id": None,
            "source": source,
            "text": each.text,
            "negative": each.negative,
            "name": each.name,
            "tags": list(each.tags),
            "stars": each.rating,
        }
        for each in sorted(prompts, key=lambda prompt: -prompt.rating)
    ]


def _record(prompt: Prompt) -> dict[str, Any]:
    return {
        "id": prompt.id,
        "source": "project",
        "text": prompt.text,
        "negative": prompt.negative,
        "name": prompt.name,
        "tags": list(prompt.tags),
        "stars": round(prompt.stars, 2),
        "rated_pictures": prompt.pictures,
        "parent": prompt.parent_id,
        "made_by": dict(prompt.made_by),
    }


def _shown(record: dict[str, Any]) -> str:
    return record["text"] or f"not: {record['negative']}"
