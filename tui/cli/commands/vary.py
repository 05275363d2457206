"""Commands about prompts: ``vary``."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from engine.errors import NoProject, PromptError
from engine.llm.server import Cancelled, ModelServer, find_key, project_server
from engine.project import Project, open_project
from engine.prompts.axes import DEFAULT_AXES, NAMES
from engine.prompts.axis_variation import Size, Variation
from engine.prompts.grammar import fill, plain
from engine.prompts.llm.request import VariationRequest
from engine.prompts.llm.variations import ENGINE as BY_MODEL
from engine.prompts.llm.variations import Outcome, Progress, vary_by_model
from engine.prompts.store import PromptStore
from engine.prompts.to_paint import read_prompt
from engine.prompts.word_variation import vary_by_words
from engine.settings import LanguageModelSettings, PersonSettings
from tui.cli.report import document, json_option, narrate, table

BY_GRAMMAR = "grammar"

STEPS = 30
"""Of a schedule that is only looked at."""


@dataclass(frozen=True)
class Along:
    """What may change, and how much."""

    axes: tuple[str, ...]
    size: Size
    locked: tuple[str, ...]


@click.command()
@click.argument("prompt")
@click.option("--count", default=8, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@click.option("--seed", type=click.IntRange(min=0), help="The same seed gives the same variations.")
@click.option("--axes", default=",".join(DEFAULT_AXES), show_default=True, help=f"What may vary: {', '.join(NAMES)}.")
@click.option(
    "--size",
    type=click.Choice([each.value for each in Size]),
    default=Size.BOLD.value,
    show_default=True,
    help="How much of a plain prompt changes.",
)
@click.option("--lock", "locked", multiple=True, help="A part of a plain prompt to keep; may be repeated.")
@click.option(
    "--with",
    "engine",
    type=click.Choice([BY_GRAMMAR, BY_MODEL]),
    default=BY_GRAMMAR,
    show_default=True,
    help="Vary by word lists, or by a language model.",
)
@click.option("--url", help="The language model's server, such as http://127.0.0.1:11434/v1; default: the project's.")
@click.option("--model", help="The model's name there; default: the project's, or the server's first.")
@json_option
@click.pass_obj
def vary(
    folder: Path,
    /,
    prompt: str,
    count: int,
    seed: int | None,
    axes: str,
    size: str,
    locked: tuple[str, ...],
    engine: str,
    url: str | None,
    model: str | None,
    as_json: bool,
) -> None:
    """List variations of PROMPT.

    {a|b|c} in it is one of a, b and c, {2$$a|b|c} two of them, {3::a|b} a three times as often, __place__ a line of a
    list; {trigger} and {class} are the person's words. A prompt without choices is varied along axes. A language
    model's key comes from LIMNER_LLM_KEY or the keyring. In a project the app shows the variations under PROMPT.
    """
    project = _project(folder)
    person = project.settings.person if project else PersonSettings.model_validate({})
    template = fill(prompt, person)
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    parent = plain(template)
    along = Along(tuple(axis.strip() for axis in axes.split(",") if axis.strip()), Size(size), locked)
    about: dict[str, Any] = {"seed": seed, "axes": list(along.axes), "size": size, "locked": list(locked)}
    extra: dict[str, Any] = {}
    if engine == BY_MODEL:
        wish = VariationRequest(parent, person, count, seed, along.axes, along.size, locked, *_known(project))
        outcome, extra = _by_model(project, url, model, wish)
        found = outcome.variations
        about["model"] = extra["model"]
    else:
        found = vary_by_words(template, count, seed, along.axes, along.size, locked)
    if project:
        _save(project, parent, found, about)
    # Only told: what can't be painted is varied all the same.
    for remark in dict.fromkeys(str(each) for each in read_prompt(prompt, person, STEPS).remarks):
        narrate(remark)
    if as_json:
        told = [{"prompt": each.text, "distance": round(each.distance, 3), "engine": each.engine} for each in found]
        document({"prompt": parent, "seed": seed, "variations": told, **extra})
        return
    table(("distance", "prompt"), [(round(each.distance, 3), each.text) for each in found])
    if len(found) < count:
        narrate(f"There are no more than {len(found)}.")


def _by_model(
    project: Project | None, url: str | None, model: str | None, wish: VariationRequest
) -> tuple[Outcome, dict[str, Any]]:
    """Variations by a language model, told as they come; and what is added to the JSON document."""
    settings = project.settings.language_model if project else LanguageModelSettings.model_validate({})
    named = url or settings.url
    if named is None:
        raise PromptError("no language model is set", "give --url http://127.0.0.1:11434/v1, or set language_model.url")
    if project is None or url:
        server = ModelServer(named, find_key(named), settings.silent_seconds)
    else:
        server = project_server(project.root, named, settings.silent_seconds)
    try:
        model = model or settings.model or _first(server)
        narrate(f"Asking {model} on {server.place} …")
        outcome = vary_by_model(server, model, wish, _narrate_progress)
    except (KeyboardInterrupt, Cancelled):
        server.cancel()
        raise click.Abort from None
    for note in dict.fromkeys(outcome.notes):
        narrate(note)
    narrate(outcome.summary())
    dropped = [{"prompt": each.text, "why": each.why} for each in outcome.dropped]
    return outcome, {"model": model, "dropped": dropped, "notes": list(dict.fromkeys(outcome.notes))}


def _narrate_progress(progress: Progress) -> None:
    if progress.variation is not None:
        narrate(f"{progress.accepted}  {progress.variation.text}")


def _first(server: ModelServer) -> str:
    models = server.models()
    if not models:
        raise PromptError(f"{server.place} has no model", "load one there, as with: ollama pull llama3.1")
    return models[0]


def _save(project: Project, parent: str, found: list[Variation], about: dict[str, Any]) -> None:
    """Puts the variations on the project's shelf, where the app finds them under their parent."""
    with project.store() as store:
        shelf = PromptStore(store)
        new = [(each.text, {**about, **each.about()}) for each in found if each.text != parent]
        if new:
            shelf.add_variations(shelf.add(parent), new)


def _known(project: Project | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The best-rated prompts, and all there are."""
    if project is None:
        return (), ()
    with project.store() as store:
        shelf = PromptStore(store)
        return tuple(shelf.best()), tuple(shelf.texts())


def _project(folder: Path) -> Project | None:
    try:
        return open_project(folder)
    except NoProject:
        return None
