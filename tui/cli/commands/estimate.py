"""``limner estimate``: what a run will take, before it is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine import events
from engine.counting import many
from engine.jobs.folder import JobFolder, Request
from engine.jobs.follow import follow, wait
from engine.models.usual_settings import family_in
from engine.project import Project, open_project
from engine.training.planning.estimate import RunEstimate, WhatIf, estimate_run
from engine.training.planning.gpus import Card, card_here, card_of_memory, named_card
from engine.training.runs.start import start_probe
from tui.cli.confirm import allowed_machine
from tui.cli.progress import Narrator, clock
from tui.cli.report import document, echo, json_option, narrate, table
from tui.cli.run_options import changes, run_options
from tui.text.sanitize import sanitize


@click.command()
@click.option("--probe", is_flag=True, help="Measure a few real steps on this device first.")
@click.option("--on", "box", metavar="NAME", help="Probe on another machine; see: limner remote.")
@click.option("--yes", is_flag=True, help="With --on: send what is told without asking.")
@click.option("--card", metavar="NAME", help="For this GPU, whatever this machine has: 4090, h100, rtx 3060 …")
@click.option("--images", type=click.IntRange(1, 100_000), help="For this many images, whatever the dataset has.")
@run_options
@json_option
@click.pass_obj
def estimate(
    folder: Path,
    /,
    probe: bool,
    box: str | None,
    yes: bool,
    card: str | None,
    images: int | None,
    as_json: bool,
    sets: tuple[str, ...],
    **options: Any,
) -> None:
    """Estimate a run: images, image-steps, time, money and memory."""
    if (probe or box is not None) and (card is not None or images is not None):
        raise click.UsageError("a probe takes real steps on a device: leave --card and --images out")
    project, wanted = open_project(folder), changes(sets, options)
    if box is not None:
        _tell_of_another(project, box, yes, wanted, as_json)
        return
    what_if = WhatIf(images, _other_card(card, options["memory"]))
    if probe:
        take_probe(project, wanted)
    found = estimate_run(project, wanted, what_if)
    if as_json:
        document(found.record())
        return
    table(("what", "how much"), rows(found))
    echo()
    echo(f"preset  {found.preset.why}")
    if found.preset.choices:
        lines = [(each.key, value(each.value), _why(each)) for each in found.preset.choices]
        table(("setting", "value", "why"), lines)
    for warning in found.warnings:
        narrate(f"! {warning}")


def _tell_of_another(project: Project, name: str, yes: bool, wanted: dict[str, Any], as_json: bool) -> None:
    """What Limner on another machine says after a probe there."""
    from engine.remote.estimate import estimate_on
    from engine.remote.limner_there import document_in

    box = allowed_machine(project, name, yes, "limner estimate")
    said = estimate_on(project, box, wanted, as_json, lambda words: narrate(f"{words[0].upper()}{words[1:]} …"))
    if as_json:
        document(document_in(said))
        return
    for line in said.text.splitlines():
        echo(sanitize(line))


def take_probe(project: Project, wanted: dict[str, Any]) -> JobFolder:
    """Probes and tells how it goes; interrupted, the probe is ended.

    Raises:
        JobError: it failed.
    """
    job, narrator = start_probe(project, wanted), Narrator()
    phase = ""
    try:
        for entry in follow(job):
            match entry.event:
                case events.Phase(name=name) if name != phase:
                    phase = name
                    narrator.stage(f"{name[0].upper()}{name[1:]}")
                case events.Plan():
                    narrator.stage("Probing")
                case events.Fit(changed=changed, why=why):
                    narrator.note(f"{changed}: {why}")
                case events.Step(step=step, images_per_s=pace):
                    narrator.progress(f"step {step} · {pace:.1f} images/s")
    except KeyboardInterrupt:
        job.ask(Request.STOP)
        raise click.Abort from None
    wait(job)
    return job


def _other_card(name: str | None, memory: float | None) -> Card | None:
    """The card that is asked about, where it is not the machine's own."""
    if name is not None:
        return named_card(name)
    return card_of_memory(memory) if memory is not None and card_here() is None else None


def rows(found: RunEstimate) -> list[tuple[str, str]]:
    """The figures, each with its name."""
    off = f" ± {found.uncertainty:.0%}" if found.uncertainty is not None else ""
    fixed = found.fixed_seconds
    listed = [
        ("plan", found.formula),
        ("base", base_words(found)),
        ("network", found.settings.training.network_words),
        ("steps", f"{found.steps:,} of {found.batch} images, {found.steps_per_epoch:,} an epoch"),
        ("an epoch", f"{clock(found.seconds_per_epoch)}{off}"),
        ("before it", f"loading {clock(fixed.loading)}, encoding {clock(fixed.caching)}"),
        ("besides", _besides(found)),
        ("total", f"{clock(found.seconds_total)}{off}"),
        ("memory", memory_words(found)),
    ]
    if found.cost is not None:
        listed.append(("cost", f"{found.cost:,.2f}{off}"))
    if (words := budget_words(found)) is not None:
        listed.append(("budget", words))
    return [*listed, ("device", found.device), ("source", f"{found.source}: {found.detail}")]


def base_words(found: RunEstimate) -> str:
    """``SDXL: demo predicts the noise (epsilon), by its scheduler's configuration``."""
    says = found.noise.words() if found.noise else "what it predicts is known once it is downloaded"
    return f"{family_in(found.settings).title}: {found.settings.base.model} {says}"


def _besides(found: RunEstimate) -> str:
    """``checkpoints 0:20, held-out images 0:30, pictures 4:10 in 10 epochs``."""
    fixed = found.fixed_seconds
    parts = [f"checkpoints {clock(fixed.saving)}"]
    if fixed.validating:
        parts.append(f"held-out images {clock(fixed.validating)}")
    if fixed.painting:
        parts.append(f"pictures {clock(fixed.painting)}")
    return f"{', '.join(parts)} in {many(found.epochs, 'epoch')}"


def memory_words(found: RunEstimate) -> str:
    """``17.7 of 25.8 GB (counted, ± 15 %)``."""
    if found.memory_gb is None:
        return "–"
    of = f" of {found.room_gb:.1f}" if found.room_gb is not None else ""
    return f"{found.memory_gb:.1f}{of} GB ({found.memory_detail})"


def budget_words(found: RunEstimate) -> str | None:
    """What the budget leaves of the plan; None where there is none."""
    budget = found.budget
    limits = [f"{budget.money:,.2f}"] if budget.money is not None else []
    limits += [f"{budget.hours:g} hours"] if budget.hours is not None else []
    if not limits:
        return None
    if budget.epochs is None and budget.hours is None and not found.settings.training.price_per_hour:
        return f"{', '.join(limits)}: it needs training.price_per_hour (--price)"
    if budget.epochs is None:
        return f"{', '.join(limits)}: checked against the run's own pace"
    if not budget.passes:
        return f"{', '.join(limits)}: enough for all {found.epochs} epochs"
    return f"{', '.join(limits)}: stops after epoch {budget.epochs} of {found.epochs}"


def value(setting: Any) -> str:
    """A setting's value as ``limner.toml`` has it."""
    if isinstance(setting, bool):
        return "true" if setting else "false"
    return f"{setting:g}" if isinstance(setting, float) else str(setting)


def _why(choice: Any) -> str:
    if choice.own and choice.value != choice.preset_value:
        return f"{choice.reason}; the preset has {value(choice.preset_value)}"
    return str(choice.reason)
