"""What was painted: ``pictures`` to list, judge, paint again and export it."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from engine.counting import many
from engine.errors import PictureError
from engine.pictures.gallery.export import FAVOURITES, export_pictures
from engine.pictures.gallery.filter import explain_picture_words, read_picture_filter
from engine.pictures.gallery.import_external import look_for_pictures
from engine.pictures.gallery.ratings import Action, Ratings
from engine.pictures.gallery.rows import Gallery, Shown, order_face_fix, order_like
from engine.pictures.orders.orders import SEEDS
from engine.pictures.orders.picture import Picture
from engine.pictures.orders.queue import MOST_STARS
from engine.pictures.orders.start import order_pictures
from engine.project import Project, open_project
from engine.storage.database import Store
from engine.storage.project_paths import expand_home
from tui.cli.confirm import agree
from tui.cli.filter_argument import FilterCommand
from tui.cli.report import document, echo, json_option, narrate, table
from tui.text.sanitize import sanitize

SHOWN_LETTERS = 48
"""Of a prompt in the table."""

MOST_TOLD = 5
"""Files that can't be read that are told one by one."""


def _which(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which pictures are meant."""
    command = click.option("--yes", is_flag=True, help="Do not ask.")(command)
    command = click.option("--where", "line", metavar="FILTER", help="All pictures that a filter selects.")(command)
    return click.argument("ids", metavar="ID…", nargs=-1, type=int)(command)


@click.group()
def pictures() -> None:
    """List, judge and export what was painted, and what was dropped into pictures/."""


@pictures.command("list", cls=FilterCommand)
@click.argument("words", nargs=-1, metavar="[FILTER]")
@json_option
@click.pass_obj
def list_(folder: Path, words: tuple[str, ...], as_json: bool) -> None:
    """List the pictures, newest first, all or those that a filter selects.

    \b
    A filter: rating:>=4 lora:jx265-000008 -is:rejected sort:likeness oil
    A leading - turns a word round; any other word is looked for in the prompt and the file's name.
    All words: limner pictures words
    """
    project = open_project(folder)
    chosen = read_picture_filter(" ".join(words))
    with project.store() as store:
        _look(project, store)
        found = chosen(Gallery(store).pictures())
    if as_json:
        document({"pictures": [picture_record(each) for each in found]})
        return
    if found:
        table(("id", "", "stars", "likeness", "seed", "checkpoint", "at", "prompt"), [_row(each) for each in found])
    favourites = sum(each.favourite for each in found)
    narrate(f"{many(len(found), 'picture')}, {many(favourites, 'favourite')}")


@pictures.command()
@json_option
def words(as_json: bool) -> None:
    """List every word of the filter line, with its meaning."""
    explained = explain_picture_words()
    if as_json:
        document({"words": [{"word": word, "about": about} for word, about in explained]})
        return
    table(("word", "means"), explained)


@pictures.command()
@click.argument("which", metavar="ID|FILE")
@json_option
@click.pass_obj
def show(folder: Path, which: str, as_json: bool) -> None:
    """Show a picture's generation parameters, as A1111 writes them; FILE may come from anywhere."""
    from engine.pictures.gallery.import_external import what_it_tells

    if which.isdecimal():
        with open_project(folder).store() as store:
            picture = Gallery(store).picture(int(which))
        path, known, there = picture.file, picture_record(picture), picture.painted
    else:
        path, known, there = expand_home(which), {"path": which}, True
        if not path.is_file():
            raise PictureError(f"there is no picture {which}", "give a picture's number, or a file")
    told = what_it_tells(path) if there else None
    text = told.text if told is not None else None
    if as_json:
        document({**known, "parameters": text})
        return
    narrate(str(path))
    if text is None:
        raise PictureError(f"{path.name} has no generation parameters", "see: limner pictures show ID --json")
    # Whoever reads it by a program gets it to the letter; a terminal is not to be steered by it.
    echo("\n".join(map(sanitize, text.split("\n"))) if sys.stdout.isatty() else text, color=True)


@pictures.command()
@click.argument("stars", type=click.IntRange(0, MOST_STARS))
@_which
@json_option
@click.pass_obj
def rate(folder: Path, stars: int, ids: tuple[int, ...], line: str | None, yes: bool, as_json: bool) -> None:
    """Rate pictures with 1 to 5 STARS; 0 removes the rating."""
    wanted = _wanted(folder, ids, line, yes, "Rate")
    _say(folder, lambda verdicts: verdicts.rate(wanted, stars), as_json)


@pictures.command()
@click.option("--not", "back", is_flag=True, help="Remove the mark.")
@_which
@json_option
@click.pass_obj
def favourite(folder: Path, back: bool, ids: tuple[int, ...], line: str | None, yes: bool, as_json: bool) -> None:
    """Make pictures favourites."""
    wanted = _wanted(folder, ids, line, yes, "Make no favourites" if back else "Make favourites")
    _say(folder, lambda verdicts: verdicts.favourite(wanted, not back), as_json)


@pictures.command()
@click.option("--not", "back", is_flag=True, help="Take it back.")
@_which
@json_option
@click.pass_obj
def reject(folder: Path, back: bool, ids: tuple[int, ...], line: str | None, yes: bool, as_json: bool) -> None:
    """Reject pictures: they are hidden from lists, nothing is deleted."""
    wanted = _wanted(folder, ids, line, yes, "Take back" if back else "Reject")
    _say(folder, lambda verdicts: verdicts.reject(wanted, not back), as_json)


@pictures.command()
@json_option
@click.pass_obj
def undo(folder: Path, as_json: bool) -> None:
    """Undo the last rating, favourite or rejection, even from an earlier day."""
    _say(folder, lambda verdicts: verdicts.undo(), as_json, "Undone")


@pictures.command()
@json_option
@click.pass_obj
def redo(folder: Path, as_json: bool) -> None:
    """Redo what was undone last."""
    _say(folder, lambda verdicts: verdicts.redo(), as_json, "Redone")


@pictures.command()
@click.argument("number", metavar="ID", type=int)
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@json_option
@click.pass_obj
def again(folder: Path, number: int, count: int, as_json: bool) -> None:
    """Queue more of a picture, with new seeds."""
    project = open_project(folder)
    with project.store() as store:
        seeds = [random.SystemRandom().randrange(SEEDS) for _ in range(count)]
        orders = [order_like(project, store, number, seed) for seed in seeds]
    _tell_queued(order_pictures(project, orders), as_json)


@pictures.command("fix")
@click.argument("ids", metavar="ID…", nargs=-1, type=int, required=True)
@json_option
@click.pass_obj
def fix(folder: Path, ids: tuple[int, ...], as_json: bool) -> None:
    """Queue a face fix of pictures; each becomes a new picture, with the closer likeness of before and after."""
    project = open_project(folder)
    with project.store() as store:
        orders = [order_face_fix(project, store, number) for number in ids]
    _tell_queued(order_pictures(project, orders), as_json)


@pictures.command(cls=FilterCommand)
@click.argument("out", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.argument("words", nargs=-1, metavar="[FILTER]")
@click.option("--metadata/--no-metadata", default=True, help="With generation parameters, or the image only, as PNG.")
@json_option
@click.pass_obj
def export(folder: Path, out: Path, words: tuple[str, ...], metadata: bool, as_json: bool) -> None:
    """Copy the favourites, or what a filter selects, to DIR. Nothing there is overwritten."""
    project = open_project(folder)
    with project.store() as store:
        found = read_picture_filter(" ".join(words) or FAVOURITES)(Gallery(store).pictures())
    found = [each for each in found if each.painted]
    if not found:
        what = "no painted picture fits the filter" if words else "there is no favourite yet"
        raise PictureError(what, "make some with: limner pictures favourite ID")
    done = export_pictures(project, found, out, metadata)
    for path, why in done.failed:
        narrate(f"{path}: {why}")
    if as_json:
        copies = [{"path": str(path), "new": path in done.written} for path in (*done.written, *done.there)]
        failed = [{"path": str(path), "problem": why} for path, why in done.failed]
        document({"pictures": copies, "failed": failed})
    else:
        for path in done.written:
            echo(path)
        there = f", {len(done.there):,} existed already" if done.there else ""
        narrate(f"{len(done.written):,} copied to {out}{there}.")
    if done.failed and not done.written and not done.there:
        raise PictureError("no picture could be copied", "list missing files with: limner pictures list is:gone")


def picture_record(picture: Shown) -> dict[str, Any]:
    """A picture as ``--json`` prints it."""
    names = ("id", "state", "path", "prompt", "negative", "seed", "steps", "guidance", "sampler", "width", "height")
    return {
        **{name: getattr(picture, name) for name in names},
        "lora": picture.lora,
        "strength": picture.strength,
        "run": picture.run_name or None,
        "rating": picture.rating,
        "favourite": bool(picture.favourite),
        "rejected": bool(picture.rejected),
        "likeness": picture.likeness,
        "outside": bool(picture.outside),
        "gone": bool(picture.gone),
        "t": picture.t,
        "seconds": picture.seconds,
        "reason": picture.reason,
    }


def _tell_queued(queued: Sequence[Picture], as_json: bool) -> None:
    if as_json:
        document({"pictures": [{"id": each.id, "seed": each.seed, "path": str(each.path)} for each in queued]})
        return
    for each in queued:
        echo(each.id)
    narrate("Queued; see: limner queue")


def _row(picture: Shown) -> tuple[object, ...]:
    mark = "♥" if picture.favourite else "✗" if picture.rejected else "" if picture.painted else picture.state
    return (
        picture.id,
        mark,
        "★" * picture.rating,
        "" if picture.likeness is None else f"{picture.likeness:.0f}",
        "" if picture.seed is None else picture.seed,
        picture.lora_name or "base",
        "" if picture.strength is None else f"{picture.strength:g}",
        " ".join(picture.prompt.split())[:SHOWN_LETTERS],
    )


def _look(project: Project, store: Store) -> None:
    """Takes in what was dropped into the folder; tells of files that are no pictures."""
    unreadable = look_for_pictures(project, store).unreadable
    for name in unreadable[:MOST_TOLD]:
        narrate(f"{name!r} is not a picture that can be read")
    if len(unreadable) > MOST_TOLD:
        narrate(f"and {len(unreadable) - MOST_TOLD:,} more")


def _wanted(folder: Path, ids: tuple[int, ...], line: str | None, yes: bool, verb: str) -> tuple[int, ...]:
    """The pictures named by number, or all that a filter selects once their number was seen and agreed to."""
    if bool(ids) == (line is not None):
        raise click.UsageError("Give the pictures' numbers, or --where FILTER.")
    if line is None:
        return ids
    with open_project(folder).store() as store:
        found = tuple(each.id for each in read_picture_filter(line)(Gallery(store).pictures()) if each.painted)
    if found and not yes:
        agree(f"{verb}: {many(len(found), 'picture')}?")
    return found


def _say(folder: Path, say: Callable[[Ratings], Action | None], as_json: bool, what: str = "Saved") -> None:
    with open_project(folder).store() as store:
        action = say(Ratings(store))
    changed = action if action is not None and action.pictures else None
    if as_json:
        document({"action": changed.label if changed else None, "pictures": list(changed.pictures) if changed else []})
        return
    narrate(f"{what}: {changed.label}" if changed else "Nothing to change.")
