"""Commands about prompts: ``vary``."""

from __future__ import annotations

import random
from pathlib import Path

import click

from engine.errors import ProjectError
from engine.project import open_project
from engine.prompts.axes import AXES, DEFAULT_AXES, widen
from engine.prompts.grammar import distance, fill, has_choices, plain, variations
from engine.settings import PersonSettings
from tui.commands.report import document, json_option, narrate, table

ENGINE = "grammar"


@click.command()
@click.argument("prompt")
@click.option("--count", default=8, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@click.option("--seed", type=click.IntRange(min=0), help="The same seed gives the same variations.")
@click.option(
    "--axes", default=",".join(DEFAULT_AXES), show_default=True, help=f"For a plain prompt: {', '.join(AXES)}."
)
@click.option(
    "--with", "engine", type=click.Choice([ENGINE]), default=ENGINE, show_default=True, help="What varies it."
)
@json_option
@click.pass_obj
def vary(folder: Path, prompt: str, count: int, seed: int | None, axes: str, engine: str, as_json: bool) -> None:
    """Variations of PROMPT.

    {a|b|c} in it is one of a, b and c; {trigger} and {class} are the person's words. A prompt without choices is
    varied in place, light and clothes.
    """
    template = fill(prompt, _person(folder))
    if not has_choices(template):
        template = widen(template, [axis.strip() for axis in axes.split(",") if axis.strip()])
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    parent = plain(fill(prompt, _person(folder)))
    found = [(text, round(distance(parent, text), 3)) for text in variations(template, count, seed)]
    if as_json:
        told = [{"prompt": text, "distance": far, "engine": engine} for text, far in found]
        document({"prompt": parent, "seed": seed, "variations": told})
        return
    table(("distance", "prompt"), [(far, text) for text, far in found])
    if len(found) < count:
        narrate(f"There are no more than {len(found)}.")


def _person(folder: Path) -> PersonSettings:
    """The project's person; outside of a project, nobody in particular."""
    try:
        project = open_project(folder)
    except ProjectError:
        return PersonSettings.model_validate({})
    return project.settings.person
