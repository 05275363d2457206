"""``limner prompt``: what a prompt says, and the library of prompts."""

from __future__ import annotations

from pathlib import Path

import click

from engine.errors import BaseModelError, NoProject
from engine.models.locate import find_base
from engine.pictures.orders.prompt_loras import known_loras
from engine.project import Project, open_project
from engine.prompts.breakdown import Breakdown, chunk_text
from engine.prompts.to_paint import read_prompt
from engine.prompts.tokenizer import Words, find_words
from engine.settings import BaseSettings
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
    found = read_prompt(
        text,
        project.settings.person if project else None,
        steps or (project.settings.painting.steps if project else 30),
        words=words_of(project),
        known_loras=known_loras(project) if project else None,
    )
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
        say(f"chunk {number}: {len(chunk.tokens)} of 75 tokens: {chunk_text(chunk)}")
    for remark in found.remarks:
        narrate(str(remark))


def words_of(project: Project | None) -> Words | None:
    """The tokenizer of the project's base model, or of the default one, where it is on this machine."""
    try:
        return find_words(find_base(project.settings.base if project else BaseSettings.model_validate({})))
    except BaseModelError:
        return None


def _project(folder: Path) -> Project | None:
    try:
        return open_project(folder)
    except NoProject:
        return None
