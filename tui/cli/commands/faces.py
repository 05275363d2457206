"""Commands about faces: scan, measure, list, show, keep, reject, clear, undo, redo, pick, target, saved filters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from engine.counting import many
from engine.errors import FaceError
from engine.faces.photo.geometry import Framing
from engine.faces.records.decisions import Action, Decision, Face, Ledger
from engine.project import Project, open_project
from tui.cli.commands.face_filters import filters, save, target, words
from tui.cli.confirm import agree
from tui.cli.face_records import HEAD, face_path, face_record, face_row
from tui.cli.filter_argument import FilterCommand
from tui.cli.follow_job import follow_job
from tui.cli.report import document, json_option, narrate, table

SORTS = ("date", "px", "name", "sharp", "light", "dist", "burst", "crop", "yaw")

SHOWN_PROBLEMS = 10
"""Problems that a scan tells one by one; the rest is counted."""


def _which(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which faces are decided on."""
    command = click.option("--yes", is_flag=True, help="Do not ask.")(command)
    command = click.option("--where", "line", metavar="FILTER", help="All faces that a filter selects.")(command)
    return click.argument("ids", nargs=-1, type=int)(command)


@click.group()
def faces() -> None:
    """Scan, list, show, keep and reject faces."""


@faces.command()
@click.option("--person", help="A name or an id; default: the person scanned before.")
@click.option("--measure/--no-measure", "measured", default=True, help="Also measure new faces.")
@json_option
@click.pass_obj
def scan(folder: Path, person: str | None, measured: bool, as_json: bool) -> None:
    """Import a person's faces and measure them; continues in the background if you leave."""
    # Only here: the database's driver takes half a second to import, and keeping a face needs none of it.
    from engine.faces.scan import start_scan
    from engine.library.address import parse_address
    from tui.cli.commands.library import ask_password

    project = open_project(folder)
    settings = project.settings
    wanted = person or settings.person.uid
    if not wanted:
        raise click.UsageError("Missing option '--person'. List the people with: limner people")
    url = settings.library.url
    typed = ask_password(parse_address(url, project.root), project.root)[1] if url else None
    moves = _moves(project)
    job = start_scan(project, wanted, typed)
    follow_job(job, "scan")
    moved = sorted(_moves(project) - moves)
    if measured:
        _measure(project)
    all_known = _of_person(project, gone=True)
    found, gone = [face for face in all_known if not face.gone], [face for face in all_known if face.gone]
    broken = [face for face in found if face.problem]
    name = project.settings.person.name or wanted
    if as_json:
        counts = {"faces": len(found), "usable": len(found) - len(broken), "moved": len(moved), "gone": len(gone)}
        problems = [{"id": face.id, "path": face_path(face), "problem": face.problem} for face in broken]
        document({"person": name, "job": job.id, **counts, "problems": problems})
        return
    narrate(f"{name}: {many(len(found), 'face')}, {len(found) - len(broken):,} can be used.")
    for face in broken[:SHOWN_PROBLEMS]:
        narrate(f"  {face_path(face)}: {face.problem}")
    if len(broken) > SHOWN_PROBLEMS:
        narrate(f"  and {len(broken) - SHOWN_PROBLEMS} more: limner faces list is:broken")
    if moved:
        narrate(
            f"{len(moved):,} {'face has another id' if len(moved) == 1 else 'faces have other ids'} in the library now:"
            " decisions, crops, images and captions moved over. Undo with: limner faces undo"
        )
    narrate("Next: limner faces pick --count 24, or limner faces list")
    if gone:
        narrate(
            f"{len(gone):,} decided {'face is' if len(gone) == 1 else 'faces are'} gone from the library,"
            " their decisions are kept: limner faces list is:gone"
        )


@faces.command()
@click.option("--again", is_flag=True, help="Measure known faces again.")
@json_option
@click.pass_obj
def measure(folder: Path, again: bool, as_json: bool) -> None:
    """Measure the faces: sharpness, light, bursts, copies, other people. Nothing is measured twice."""
    project = open_project(folder)
    _measure(project, again)
    found = _of_person(project)
    counts = {
        "faces": len(found),
        "measured": sum(face.measures.quality is not None for face in found),
        **{state: _count(found, f"is:{state}") for state in ("blurred", "duplicate", "burst", "wrong")},
    }
    if as_json:
        document(counts)
        return
    narrate(", ".join(f"{count:,} {name}" for name, count in counts.items()))


@faces.command("list", cls=FilterCommand)
@click.argument("words", nargs=-1, metavar="[FILTER]")
@click.option("--sort", "sort", type=click.Choice(SORTS), help="Oldest first, largest first, by name …")
@json_option
@click.pass_obj
def list_(folder: Path, words: tuple[str, ...], sort: str | None, as_json: bool) -> None:
    """List the person's faces, all or those that a filter selects.

    \b
    A filter: px>512 sharp>40 year:2015..2023 framing:close is:confirmed -is:duplicate lake sort:sharp
    @name is a saved one. A leading - turns a word round; any other word is looked for in the file's name.
    All words: limner faces words
    """
    line = " ".join([*words, *([f"sort:{sort}"] if sort else [])])
    found = _selected(open_project(folder), line)
    if as_json:
        document({"faces": [face_record(face) for face in found]})
        return
    if found:
        table(HEAD, [face_row(face) for face in found])
    kept = sum(face.decision is Decision.KEEP for face in found)
    narrate(f"{many(len(found), 'face')}, {kept:,} kept")


@faces.command()
@click.argument("face_id", metavar="ID", type=int)
@click.option("-o", "output", type=click.Path(path_type=Path), required=True, help="The file to write: .png or .jpg.")
@click.option("--framing", type=click.Choice([each.value for each in Framing]), default="close", show_default=True)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@json_option
@click.pass_obj
def show(folder: Path, face_id: int, output: Path, framing: str, force: bool, as_json: bool) -> None:
    """Crop one face from its photo into a file."""
    from engine.faces.crop import cut
    from engine.faces.photo.loading import read_header

    project = open_project(folder)
    kind = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}.get(output.suffix.lower())
    if kind is None:
        raise FaceError(f"{output} has no supported image extension", "end it in .png, .jpg or .webp")
    if output.exists() and not force:
        raise FaceError(f"{output} is there already", "choose another name, or overwrite it with --force")
    with project.store() as store:
        face = Ledger(store).face(face_id)
    square = cut(face, Framing(framing))
    try:
        square.save(output, format=kind, quality=95)
    except OSError as error:
        raise FaceError(f"{output} can't be written ({error.strerror or error})", "choose another folder") from error
    if as_json:
        document({"path": str(output), "face": face.id, "framing": framing, "px": square.width})
        return
    narrate(f"{output}: {square.width} × {square.height} pixels, {face_path(face)}")
    if face.path and (caution := read_header(face.path).caution):
        narrate(caution)


@faces.command()
@_which
@json_option
@click.pass_obj
def keep(folder: Path, ids: tuple[int, ...], line: str | None, yes: bool, as_json: bool) -> None:
    """Keep faces for the dataset."""
    _decide(folder, _wanted(folder, ids, line, yes, "keep"), Decision.KEEP, as_json)


@faces.command()
@_which
@json_option
@click.pass_obj
def reject(folder: Path, ids: tuple[int, ...], line: str | None, yes: bool, as_json: bool) -> None:
    """Reject faces; nothing is deleted."""
    _decide(folder, _wanted(folder, ids, line, yes, "reject"), Decision.REJECT, as_json)


@faces.command()
@_which
@json_option
@click.pass_obj
def clear(folder: Path, ids: tuple[int, ...], line: str | None, yes: bool, as_json: bool) -> None:
    """Make faces undecided again."""
    _decide(folder, _wanted(folder, ids, line, yes, "clear"), Decision.UNDECIDED, as_json)


@faces.command()
@json_option
@click.pass_obj
def undo(folder: Path, as_json: bool) -> None:
    """Undo the last decision, even from an earlier day."""
    with open_project(folder).store() as store:
        _tell(Ledger(store).undo(), "Undone", as_json)


@faces.command()
@json_option
@click.pass_obj
def redo(folder: Path, as_json: bool) -> None:
    """Redo the last undone decision."""
    with open_project(folder).store() as store:
        _tell(Ledger(store).redo(), "Redone", as_json)


@faces.command()
@click.option(
    "--count",
    type=click.IntRange(1, 10_000),
    default=24,
    show_default=True,
    help="How many faces to have kept in total.",
)
@click.option("--dry-run", is_flag=True, help="Only show which faces it would pick, and why.")
@json_option
@click.pass_obj
def pick(folder: Path, count: int, dry_run: bool, as_json: bool) -> None:
    """Keep a mix of sharp and varied faces, with a reason for each; one undo reverts all of it."""
    from engine.faces.selection.pick import keep_picked, target_of
    from engine.faces.selection.pick import pick as pick_faces
    from engine.faces.start_measuring import unmeasured

    project = open_project(folder)
    found = _of_person(project)
    if unmeasured(found):
        _measure(project)
        found = _of_person(project)
    target = target_of(project.settings.faces)
    chosen = pick_faces(found, count, target)
    if not chosen:
        raise FaceError("there is no face to pick from", "scan first: limner faces scan --person NAME")
    kept: tuple[int, ...] = ()
    if not dry_run:
        with project.store() as store:
            kept = keep_picked(Ledger(store), chosen).faces
    if as_json:
        picked = [
            {"face": each.face.id, "path": face_path(each.face), "framing": each.framing.value, "why": each.why}
            for each in chosen
        ]
        document({"faces": picked, "kept": list(kept)})
        return
    table(("id", "file", "why"), [(each.face.id, each.face.file_name, each.why) for each in chosen])
    if dry_run:
        new = sum(each.face.decision is Decision.UNDECIDED for each in chosen)
        narrate(f"{new} more would be kept, {len(chosen)} in total. Nothing was changed.")
        return
    narrate(f"{len(kept)} more kept, {len(chosen)} in total. Undo with: limner faces undo")


for each in (target, words, filters, save):
    faces.add_command(each)


def _measure(project: Project, again: bool = False) -> None:
    from engine.faces.start_measuring import measure_folder, start_measure

    running = measure_folder(project)
    follow_job(running if running.alive() and not again else start_measure(project, again), "measure")


def _selected(project: Project, line: str) -> list[Face]:
    from engine.faces.selection.filter import select
    from engine.faces.selection.saved_filters import SavedFilters

    with project.store() as store:
        saved = SavedFilters(store).all()
        return select(Ledger(store).faces(project.settings.person.uid, gone=True), line, saved)


def _count(found: list[Face], line: str) -> int:
    from engine.faces.selection.filter import select

    return len(select(found, line))


def _wanted(folder: Path, ids: tuple[int, ...], line: str | None, yes: bool, verb: str) -> tuple[int, ...]:
    """The faces named by number, or all that a filter selects once their number was seen and agreed to."""
    if bool(ids) == bool(line):
        raise click.UsageError("Give the faces' numbers, or --where FILTER.")
    if not line:
        return ids
    found = tuple(face.id for face in _selected(open_project(folder), line))
    if found and not yes:
        agree(f"{verb.capitalize()} {many(len(found), 'face')}?")
    return found


def _of_person(project: Project, gone: bool = False) -> list[Face]:
    with project.store() as store:
        return Ledger(store).faces(project.settings.person.uid, gone)


def _moves(project: Project) -> set[int]:
    with project.store() as store:
        return Ledger(store).moves()


def _decide(folder: Path, ids: tuple[int, ...], decision: Decision, as_json: bool) -> None:
    with open_project(folder).store() as store:
        action = Ledger(store).decide(ids, decision)
    _tell(action if action.faces else None, "Saved", as_json)


def _tell(action: Action | None, what: str, as_json: bool) -> None:
    if as_json:
        document({"action": action.label if action else None, "faces": list(action.faces) if action else []})
        return
    narrate(f"{what}: {action.label}" if action else "Nothing to change.")
