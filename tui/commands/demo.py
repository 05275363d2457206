"""``limner demo``: the demo project, and the whole way from its photo index to a portrait."""

from __future__ import annotations

import time
from pathlib import Path

import click

from engine.demo.project import make_demo_project
from engine.demo.whole_way import Outcome, whole_way
from tui.commands.progress import Narrator
from tui.commands.report import document, json_option, narrate


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--run", is_flag=True, help="Do the whole job unattended, to the portrait and its likeness.")
@json_option
def demo(folder: Path, run: bool, as_json: bool) -> None:
    """Make the demo project in FOLDER and open it.

    It is a small photo library of drawn people with a PhotoPrism index, and a tiny base model of SDXL's
    architecture that really learns. With --run the whole job is done, on a CPU in minutes.
    """
    started = time.monotonic()
    narrator = Narrator()
    project = make_demo_project(folder, narrator)
    if not run:
        if as_json:
            document({"project": str(project.root)})
            return
        from tui.app import open_app

        open_app(project.root)
        return
    outcome = whole_way(project, narrator)
    if as_json:
        document(outcome.record())
    tell(outcome, folder, time.monotonic() - started)


def tell(outcome: Outcome, folder: Path, seconds: float) -> None:
    """The last words: what came out, where it is, and what to do next."""
    narrate("")
    narrate(f"Likeness to {outcome.person}: {outcome.likeness:.2f} (base model {outcome.base_likeness:.2f}, real")
    narrate(
        f"pictures {outcome.real_likeness:.2f}); {outcome.nearest_right} of {outcome.seeds} portraits are nearest to"
        f" {outcome.person}, the others' nearest is {outcome.nearest_other_name} at {outcome.nearest_other:.2f}."
    )
    narrate(f"Portraits:  {outcome.portraits[0].parent}")
    narrate(f"LoRA:       {outcome.lora}")
    narrate(f"The app:    limner -C {folder}")
    narrate(f"Done in {int(seconds) // 60} min {int(seconds) % 60:02d} s.")
