"""Commands about prompts: ``vary``."""

from __future__ import annotations

import random
from pathlib import Path

import click

from engine.errors import ProjectError
from engine.project import open_project
from engine.prompts.axes import DEFAULT_AXES, NAMES
from engine.prompts.grammar import distance, fill, has_choices, plain, variations
from engine.prompts.ladder import Size, Variation
from engine.prompts.ladder import vary as vary_along
from engine.settings import PersonSettings
from tui.commands.report import document, json_option, narrate, table

ENGINE = "grammar"


@click.command()
@click.argument("prompt")
@click.option("--count", default=8, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@click.option("--seed", type=click.IntRange(min=0), help="The same seed gives the same variations.")
@click.option(
    "--axes", default=",".join(DEFAULT_AXES), show_default=True, help=f"Of a plain prompt: {', '.join(NAMES)}."
)
@click.option(
    "--size",
    type=click.Choice([each.value for each in Size]),
    default=Size.BOLD.value,
    show_default=True,
    help="How much of a plain prompt changes.",
)
@click.option("--lock", "locked", multiple=True, help="A part of a plain prompt that stays; may be given again.")
@click.option(
    "--with", "engine", type=click.Choice([ENGINE]), default=ENGINE, show_default=True, help="What varies it."
)
@json_option
@click.pass_obj
def vary(
    folder: Path,
    prompt: str,
    count: int,
    seed: int | None,
    axes: str,
    size: str,
    locked: tuple[str, ...],
    engine: str,
    as_json: bool,
) -> None:
    """Variations of PROMPT.

    {a|b|c} in it is one of a, b and c, {2$$a|b|c} two of them, {3::a|b} a three times as often, __place__ a line of a
    list; {trigger} and {class} are the person's words. A prompt without choices is varied along axes.
    """
    template = fill(prompt, _person(folder))
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    parent = plain(template)
    if has_choices(template):
        found = [Variation(text, distance(parent, text), engine) for text in variations(template, count, seed)]
    else:
        along = [axis.strip() for axis in axes.split(",") if axis.strip()]
        found = vary_along(parent, count, seed, along, Size(size), locked)
    if as_json:
        told = [{"prompt": each.text, "distance": round(each.distance, 3), "engine": each.engine} for each in found]
        document({"prompt": parent, "seed": seed, "variations": told})
        return
    table(("distance", "prompt"), [(round(each.distance, 3), each.text) for each in found])
    if len(found) < count:
        narrate(f"There are no more than {len(found)}.")


def _person(folder: Path) -> PersonSettings:
    """The project's person; outside of a project, nobody in particular."""
    try:
        project = open_project(folder)
    except ProjectError:
        return PersonSettings.model_validate({})
    return project.settings.person
