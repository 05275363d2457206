"""``limner prompt``: what a prompt says, and the library of prompts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from engine.errors import BaseModelError, NoProject
from engine.models.chunks import ROOM
from engine.models.locate import find_base
from engine.models.usual_settings import guidance_remarks, kind_of, painting_of
from engine.pictures.orders.prompt_loras import known_loras
from engine.project import Project, open_project
from engine.prompts.breakdown import Breakdown, chunk_text
from engine.prompts.to_paint import read_prompt
from engine.prompts.tokenizer import Words, find_words
from engine.settings import Settings
from tui.cli.commands.prompt_library import add, import_, list_, rate
from tui.cli.report import document, echo, json_option, narrate, say, table


@click.group()
def prompt() -> None:
    """Inspect a prompt; the library of prompts."""


for command in (list_, add, rate, import_):
    prompt.add_command(command)


@prompt.command()
@click.argument("text")
@click.option("--steps", type=click.IntRange(1, 500), help="Sampling steps; default: the project's.")
@json_option
@click.pass_obj
def show(folder: Path, text: str, steps: int | None, as_json: bool) -> None:
    """Show the weights, schedule, LoRAs and tokens of TEXT, as A1111 reads it.

    {trigger} and {class} are the person's words; of choices {a|b} the first is shown. What is odd about it is said on
    standard error.
    """
    project = _project(folder)
    settings = project.settings if project else Settings()
    painting, kind = painting_of(settings), kind_of(settings.base.for_painting)
    found = read_prompt(
        text,
        settings.person if project else None,
        steps or painting.steps,
        words=words_of(settings),
        known_loras=known_loras(project) if project else None,
        family=kind.family,
    )
    besides = guidance_remarks(kind, painting.guidance_scale, [painting.negative])
    found = replace(found, besides=tuple(besides))
    if as_json:
        document(found.record())
        return
    tell(found)


def tell(found: Breakdown) -> None:
    """A prompt taken apart, for people."""
    rows: list[tuple[object, object]] = []
    for piece in found.attention:
        if piece.is_break:
            rows.append(("", "BREAK"))
        elif piece.text.strip():
            rows.append((f"×{piece.weight:.3g}", " ".join(piece.text.split())))
    table(("weight", "text"), rows)
    if len(found.schedule) > 1:
        echo()
        table(("until step", "text"), [(each.until, " ".join(each.text.split())) for each in found.schedule])
    for lora in found.loras:
        both = f"{lora.unet:g}" if lora.te == lora.unet else f"{lora.unet:g}, {lora.te:g} in the text encoders"
        say(f"LoRA {lora.name} at {both}")
    for number, chunk in enumerate(found.chunks, start=1):
        name = f"chunk {number}: " if found.room == ROOM else ""
        say(f"{name}{len(chunk.tokens)} of {found.room} tokens: {chunk_text(chunk)}")
    for warning in found.warnings:
        narrate(warning)


def words_of(settings: Settings) -> Words | None:
    """The tokenizer of the base model that paints, where it is on this machine."""
    try:
        return find_words(find_base(settings.base.for_painting))
    except BaseModelError:
        return None


def _project(folder: Path) -> Project | None:
    try:
        return open_project(folder)
    except NoProject:
        return None
