"""``limner demo``: the demo project, and the whole way from its photo index to a portrait."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import click

from engine.demo.project import TINY_BASES, make_demo_project
from engine.demo.whole_way import Outcome, whole_way
from tui.cli.progress import Narrator
from tui.cli.report import document, json_option, narrate


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--base", type=click.Choice(list(TINY_BASES)), help="Whose architecture the tiny base model has [default: sdxl]."
)
@click.option("--run", is_flag=True, help="Run all steps unattended, up to the portraits and their likeness.")
@json_option
def demo(folder: Path, base: str | None, run: bool, as_json: bool) -> None:
    """Make the demo project in FOLDER and open it.

    It is a small photo library of drawn people with a PhotoPrism index, and a tiny base model of SDXL's
    or FLUX.2 klein's architecture that really learns. With --run the whole job is done, on a CPU in minutes.
    """
    started = time.monotonic()
    narrator = Narrator()
    if not run and not as_json:
        # Before anything is made: the app is what was asked for.
        from tui.app.launch import check_terminal

        check_terminal()
    project = make_demo_project(folder, narrator, base)
    if not run:
        if as_json:
            document({"project": str(project.root)})
            return
        from tui.app.launch import open_app

        open_app(project.root)
        return
    outcome = whole_way(project, narrator)
    if as_json:
        document(outcome.record())
    tell(outcome, folder, time.monotonic() - started)


def tell(outcome: Outcome, folder: Path, seconds: float) -> None:
    """The last words: what came out, where it is, and what to do next."""
    likeness = outcome.likeness
    best, portraits = likeness.best, len(likeness.best.pictures)
    narrate("")
    narrate(
        f"Likeness to {outcome.person} (median of {portraits} seeds, 1 is the person): {best.median or 0:.2f} with the"
        f" LoRA at {best.strength:g}, {likeness.base or 0:.2f} without, {likeness.real:.2f} the real pictures."
    )
    if best.rank_1 is not None:
        narrate(
            f"{round(best.rank_1 * portraits)} of {portraits} portraits are nearest to {outcome.person};"
            f" the nearest other, {likeness.nearest_other_name}, is at {likeness.nearest_other or 0:.2f}."
        )
    narrate("")
    narrate(f"Portraits  {outcome.portraits[0].parent}")
    narrate(f"LoRA       {outcome.lora}")
    narrate(f"The app    {program()} -C {folder}")
    narrate(f"Done in {int(seconds) // 60} min {int(seconds) % 60:02d} s.")


def program() -> str:
    """How to call Limner here: by its name where the shell finds it, else by where it lies."""
    ours = Path(sys.argv[0])
    return "limner" if shutil.which("limner") == str(ours.resolve()) or not ours.exists() else str(ours)
