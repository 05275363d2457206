"""``limner rent`` and ``limner rented``: machines that are rented by the hour for a run, and what still costs."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.errors import JobError
from engine.project import Project, open_project
from engine.secrets import RENT_KEY_VARIABLES
from engine.training.runs.run_status import run_status
from engine.training.runs.start import refuse_second
from tui.cli.commands.runs import run_record
from tui.cli.progress import clock
from tui.cli.report import document, echo, json_option, narrate, table
from tui.cli.run_line import follow
from tui.cli.run_options import changes, run_options_except

if TYPE_CHECKING:
    from engine.rent.ending import Listed
    from engine.rent.offers import Choice, Choices
    from engine.rent.provider import Provider

PROVIDERS = click.Choice([*RENT_KEY_VARIABLES, "sky"])

SHOWN = 12
"""Offers that are listed."""


@click.command()
@click.option("--card", metavar="NAME", help="Only this GPU: 4090, a100, h100 …")
@click.option("--max-price", type=click.FloatRange(min=0, min_open=True), metavar="$", help="Dollars an hour, at most.")
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    metavar="$",
    help="Dollars for the whole rental: then the machine ends, however far the run is.",
)
@click.option("--provider", type=PROVIDERS, help="Only here; default: wherever you have an API key. sky: SkyPilot.")
@click.option("--list", "only_list", is_flag=True, help="Show what can be rented, and rent nothing.")
@click.option("--yes", is_flag=True, help="Take the cheapest whole run without asking.")
@click.option("--wait", is_flag=True, help="Follow the run until it ends.")
@click.option("--save-key", is_flag=True, help="With --provider: ask for its API key and keep it in the keyring.")
@run_options_except("budget", "price")
@json_option
@click.pass_obj
def rent(
    folder: Path,
    /,
    card: str | None,
    max_price: float | None,
    budget: float | None,
    provider: str | None,
    only_list: bool,
    yes: bool,
    wait: bool,
    save_key: bool,
    as_json: bool,
    sets: tuple[str, ...],
    **options: Any,
) -> None:
    """Rent a machine for one run: choose by what the whole run costs, train there, fetch all of it, end the machine.

    API keys come from the environment (LIMNER_RUNPOD_KEY, LIMNER_VAST_KEY) or the keyring. The machine ends itself when
    its time is over or nothing moves, even where this one is off. What still costs: limner rented.
    """
    from engine.rent.offers import choices
    from engine.rent.provider import RentError, Wanted
    from engine.rent.start import start_rented

    if save_key:
        _save_key(provider)
        return
    project, wanted = open_project(folder), changes(sets, options)
    if not only_list:
        refuse_second(project)
    asked = _providers(provider)
    narrate(f"Asking {' and '.join(each.title for each in asked)} …")
    found = choices(project, asked, Wanted(card, most_per_hour=max_price), wanted)
    if as_json and (only_list or not yes):
        document({"offers": [each.record() for each in found.found], "problems": list(found.problems)})
        return
    if not found.found:
        raise RentError("nothing of that kind is to be had now", "ask for another --card, or a higher --max-price")
    if not as_json:
        _show(found)
    if only_list:
        return
    choice = _chosen(project, found, budget, yes)
    job = start_rented(project, choice, wanted, budget, max_price)
    if not as_json:
        echo(job.id)
    if wait:
        follow(job)
    else:
        narrate(f"The machine is rented, used and ended in the background. Follow it with: limner watch {job.id}")
    if as_json:
        document({"run": job.id, "path": str(job.path), **run_record(run_status(job))})


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def rented(context: click.Context, as_json: bool) -> None:
    """List the rented machines that still cost: since when, how much; end them."""
    if context.invoked_subcommand is not None:
        return
    found, problems = _compared()
    for problem in problems:
        narrate(f"! {problem}")
    if as_json:
        document({"machines": [_record(each) for each in found], "problems": problems})
    elif found:
        heads = ("label", "at", "card", "$/h", "so far", "since", "state")
        table(heads, [_row(each) for each in found])
        for each in found:
            if each.problem:
                narrate(f"! {each.label}: {each.problem}")
    elif not problems:
        narrate("No rented machine costs anything now.")


@rented.command()
@click.argument("labels", nargs=-1, metavar="LABEL...")
@click.option("--all", "every", is_flag=True, help="All that are listed.")
@click.pass_context
def end(context: click.Context, labels: tuple[str, ...], every: bool) -> None:
    """End rented machines by their labels, and make sure of it; what is on them is lost."""
    if not labels and not every:
        raise click.UsageError("which one? Give its label, or --all; list them: limner rented")
    found, problems = _compared()
    for problem in problems:
        narrate(f"! {problem}")
    missing = [label for label in labels if label not in {each.label for each in found}]
    for label in missing:
        narrate(f"{label} is not listed: it costs nothing, or its provider could not be asked")
    wanted = [each for each in found if every or each.label in labels]
    ended = [_end(each) for each in wanted]
    if not all(ended) or missing or (problems and every):
        context.exit(1)


def _save_key(provider: str | None) -> None:
    from engine.rent.provider import Wanted
    from engine.rent.providers.keys import save_key
    from engine.rent.registry import provider_with_key

    if provider not in RENT_KEY_VARIABLES:
        raise click.UsageError(f"--save-key needs --provider: {', '.join(RENT_KEY_VARIABLES)}")
    key = click.prompt(f"API key of {provider}", hide_input=True, err=True).strip()
    provider_with_key(provider, key).offers(Wanted())
    save_key(provider, key)
    narrate(f"The key works, and is in the keyring. See what can be rented: limner rent --provider {provider} --list")


def _providers(name: str | None) -> list[Provider]:
    from engine.rent.registry import provider_named, providers_to_ask

    return [provider_named(name)] if name is not None else providers_to_ask()


def _show(found: Choices) -> None:
    heads = ("", "card", "memory", "$/h", "takes", "whole run", "at", "where")
    table(heads, [_offer_row(number, each) for number, each in enumerate(found.found[:SHOWN], 1)])
    if len(found.found) > SHOWN:
        narrate(f"{len(found.found) - SHOWN} dearer ones are left out; choose a --card to see them.")
    for problem in found.problems:
        narrate(f"! {problem}")


def _offer_row(number: int, choice: Choice) -> tuple[str, ...]:
    offer = choice.offer
    takes = "not known" if choice.seconds is None else clock(choice.seconds)
    cost = "not known" if choice.cost is None else f"{choice.cost:.2f} $"
    if choice.fits is False:
        cost = "too small"
    memory = f"{offer.memory_gb * 1e9 / 2**30:.0f} GB"
    return str(number), offer.card, memory, f"{offer.price:.2f}", takes, cost, offer.provider, offer.where


def _chosen(project: Project, found: Choices, budget: float | None, yes: bool) -> Choice:
    """The offer that is taken; what goes there and what it may cost is told before."""
    from engine.remote.start import travelling

    asks = sys.stdin.isatty() and not yes
    shown = list(found.found[:SHOWN])
    number = click.prompt("Which one?", default=1, type=click.IntRange(1, len(shown)), err=True) if asks else 1
    choice = shown[number - 1]
    seconds = choice.lives_at_most(budget or project.settings.training.budget)
    narrate(
        f"{choice.offer.card} at {choice.offer.price:.2f} $/h; it ends after {clock(seconds)} at the latest, which is"
        f" {seconds / 3600 * choice.offer.price:.2f} $."
    )
    narrate(f"To it go {travelling(project).words}.")
    if not yes and not (asks and click.confirm("Rent it?", err=True)):
        raise JobError("nothing was rented", "to rent without being asked: limner rent --yes")
    return choice


def _compared() -> tuple[list[Listed], list[str]]:
    from engine.rent.ending import compare
    from engine.rent.registry import provider_named, providers_with_keys

    return compare(provider_named, [each.name for each in providers_with_keys()])


def _record(listed: Listed) -> dict[str, Any]:
    return {**asdict(listed), "stage": listed.stage.value if listed.stage else None}


def _row(listed: Listed) -> tuple[str, ...]:
    since = "?" if listed.since is None else f"{datetime.fromtimestamp(listed.since):%d %b %H:%M}"
    price = "?" if listed.price is None else f"{listed.price:.2f}"
    spent = "?" if listed.spent is None else f"{listed.spent:.2f} $"
    state = f"{listed.said}, of no run here" if listed.stage is None else listed.said
    return listed.label, listed.provider, listed.card or "?", price, spent, since, state


def _end(listed: Listed) -> bool:
    from engine.rent.ending import end_rental, end_unrecorded
    from engine.rent.ledger import rental_labelled
    from engine.rent.registry import provider_named

    provider = provider_named(listed.provider)
    narrate(f"Ending {listed.label} …")
    began = time.monotonic()
    if listed.stage is None:
        problem = end_unrecorded(listed, provider)
    else:
        ended = end_rental(rental_labelled(listed.label), provider)
        problem = None if ended.over else ended.problem
    if problem is None:
        echo(f"{listed.label} is gone after {time.monotonic() - began:.0f} s")
        return True
    narrate(f"{listed.label} may still cost: {problem}")
    return False
