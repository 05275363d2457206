"""The painter's queue: ``queue``, and to cancel, move and retry."""

from __future__ import annotations

from pathlib import Path

import click

from engine.errors import PictureError
from engine.pictures.orders.picture import Picture, PictureState
from engine.pictures.orders.queue import Move, Queue
from engine.pictures.orders.start import painter_state, retry_pictures
from engine.project import open_project
from tui.cli.commands.paint import record
from tui.cli.report import document, json_option, narrate, table

SHOWN = 60
"""Letters of a prompt in the table."""


@click.group(invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Include painted, failed and cancelled pictures.")
@json_option
@click.pass_context
def queue(context: click.Context, everything: bool, as_json: bool) -> None:
    """List what is being painted and what is queued, in order."""
    if context.invoked_subcommand is not None:
        return
    project = open_project(context.obj)
    with project.store() as store:
        found = Queue(store)
        pictures = list(reversed(found.pictures())) if everything else found.waiting_pictures()
    state = painter_state(project)
    if as_json:
        document({"painter": state.value if state else None, "pictures": [record(picture) for picture in pictures]})
        return
    if not pictures:
        narrate("Nothing is queued.")
        return
    head = ("id", "state", "priority", "seed", "steps", "prompt", "why")
    rows = [
        (each.id, each.state.value, each.priority, each.seed, each.steps, each.prompt[:SHOWN], each.reason or "")
        for each in pictures
    ]
    table(head, rows)


@queue.command()
@click.argument("numbers", metavar="ID…", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All queued pictures, and the one being painted.")
@click.pass_obj
def cancel(folder: Path, numbers: tuple[int, ...], everything: bool) -> None:
    """Cancel pictures, even the one being painted."""
    if everything == bool(numbers):
        raise click.UsageError("give the numbers of pictures, or --all")
    with open_project(folder).store() as store:
        found = Queue(store)
        if everything:
            narrate(f"Cancelled {found.cancel_all()}.")
            return
        for number in numbers:
            if not found.cancel(_picture(found, number).id):
                raise PictureError(
                    f"picture {number} is {found.state(number).value}", "only queued pictures can be cancelled"
                )


@queue.command()
@click.argument("number", metavar="ID", type=int)
@click.argument("where", type=click.Choice([each.value for each in Move]))
@click.pass_obj
def move(folder: Path, number: int, where: str) -> None:
    """Move a queued picture forward or back."""
    with open_project(folder).store() as store:
        found = Queue(store)
        if _picture(found, number).state is not PictureState.QUEUED:
            raise PictureError(f"picture {number} is {found.state(number).value}", "only queued pictures can be moved")
        if not found.move(number, Move(where)):
            narrate(f"Picture {number} is there already.")


@queue.command()
@click.argument("numbers", metavar="ID…", type=int, nargs=-1, required=True)
@click.pass_obj
def retry(folder: Path, numbers: tuple[int, ...]) -> None:
    """Queue failed and cancelled pictures again."""
    project = open_project(folder)
    with project.store() as store:
        for number in numbers:
            picture = _picture(Queue(store), number)
            if picture.state not in (PictureState.FAILED, PictureState.CANCELLED):
                what = f"picture {number} is {picture.state.value}"
                raise PictureError(what, "only failed or cancelled pictures can be retried")
    retry_pictures(project, numbers)


def _picture(found: Queue, number: int) -> Picture:
    try:
        return found.picture(number)
    except KeyError:
        raise PictureError(f"there is no picture {number}", "list them with: limner queue --all") from None
