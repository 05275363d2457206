"""Commands about faces: scan, list, show, keep, reject, clear, undo, redo, pick."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from engine import events
from engine.errors import FaceError, JobError
from engine.faces.filter import SORTS, select
from engine.faces.geometry import Framing
from engine.faces.ledger import Action, Decision, Face, Ledger
from engine.faces.pick import pick as pick_faces
from engine.jobs.folder import JobFolder
from engine.jobs.follow import follow
from engine.project import Project, open_project
from tui.commands.filterline import FilterCommand
from tui.commands.report import document, json_option, narrate, table

SHOWN_PROBLEMS = 10
"""Problems that a scan tells one by one; the rest is counted."""


@click.group()
def faces() -> None:
    """Scan, list, show, keep and reject faces."""


@faces.command()
@click.option("--person", help="A name or an id; left out: the person scanned before.")
@json_option
@click.pass_obj
def scan(folder: Path, person: str | None, as_json: bool) -> None:
    """Take all faces of a person in; goes on in the background if you leave."""
    # Only here: the database's driver takes half a second to import, and keeping a face needs none of it.
    from engine.faces.scan import start_scan
    from engine.library.address import parse_address
    from tui.commands.library import ask_password

    project = open_project(folder)
    settings = project.settings
    wanted = person or settings.person.uid
    if not wanted:
        raise click.UsageError("Missing option '--person'. See who is there with: limner people")
    url = settings.library.url
    typed = ask_password(parse_address(url, project.root))[1] if url else None
    job = start_scan(project, wanted, typed)
    follow_scan(job)
    found = _of_person(project)
    broken = [face for face in found if face.problem]
    name = project.settings.person.name or wanted
    if as_json:
        counts = {"faces": len(found), "usable": len(found) - len(broken)}
        problems = [{"id": face.id, "path": _path(face), "problem": face.problem} for face in broken]
        document({"person": name, "job": job.id, **counts, "problems": problems})
        return
    narrate(f"{name}: {len(found):,} faces, {len(found) - len(broken):,} can be used.")
    for face in broken[:SHOWN_PROBLEMS]:
        narrate(f"  {_path(face)}: {face.problem}")
    if len(broken) > SHOWN_PROBLEMS:
        narrate(f"  and {len(broken) - SHOWN_PROBLEMS} more: limner faces list is:broken")
    narrate("Next: limner faces pick --count 24, or limner faces list")


@faces.command("list", cls=FilterCommand)
@click.argument("words", nargs=-1, metavar="[FILTER]")
@click.option("--sort", "sort", type=click.Choice(list(SORTS)), help="Oldest first, largest first, or by name.")
@json_option
@click.pass_obj
def list_(folder: Path, words: tuple[str, ...], sort: str | None, as_json: bool) -> None:
    """The faces of the person, all or those that a filter selects.

    \b
    A filter: px>512 year:2015..2023 is:confirmed -is:broken lake sort:px
    is: keep, reject, undecided, confirmed, matched, broken, doubtful, wide
    A leading - turns a word round; any other word is looked for in the file's name.
    """
    line = " ".join([*words, *([f"sort:{sort}"] if sort else [])])
    found = select(_of_person(open_project(folder)), line)
    if as_json:
        document({"faces": [_record(face) for face in found]})
        return
    rows = [
        (face.id, face.decision.value, face.face_px or 0, face.taken_at or "", _sure(face), face.file_name, _note(face))
        for face in found
    ]
    if rows:
        table(("id", "decision", "px", "taken", "by", "file", "note"), rows)
    kept = sum(face.decision is Decision.KEEP for face in found)
    narrate(f"{len(found):,} faces, {kept:,} kept")


@faces.command()
@click.argument("face_id", metavar="ID", type=int)
@click.option("-o", "output", type=click.Path(path_type=Path), required=True, help="The file to write: .png or .jpg.")
@click.option("--framing", type=click.Choice([each.value for each in Framing]), default="close", show_default=True)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@json_option
@click.pass_obj
def show(folder: Path, face_id: int, output: Path, framing: str, force: bool, as_json: bool) -> None:
    """Cut one face out of its photo into a file."""
    from engine.faces.crop import cut

    project = open_project(folder)
    kind = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}.get(output.suffix.lower())
    if kind is None:
        raise FaceError(f"{output} is of no kind that can be written", "end it in .png, .jpg or .webp")
    if output.exists() and not force:
        raise FaceError(f"{output} is there already", "choose another name, or write over it with --force")
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
    narrate(f"{output}: {square.width} × {square.height} pixels, {_path(face)}")


@faces.command()
@click.argument("ids", nargs=-1, required=True, type=int)
@json_option
@click.pass_obj
def keep(folder: Path, ids: tuple[int, ...], as_json: bool) -> None:
    """Keep faces for the dataset."""
    _decide(folder, ids, Decision.KEEP, as_json)


@faces.command()
@click.argument("ids", nargs=-1, required=True, type=int)
@json_option
@click.pass_obj
def reject(folder: Path, ids: tuple[int, ...], as_json: bool) -> None:
    """Reject faces; nothing is deleted."""
    _decide(folder, ids, Decision.REJECT, as_json)


@faces.command()
@click.argument("ids", nargs=-1, required=True, type=int)
@json_option
@click.pass_obj
def clear(folder: Path, ids: tuple[int, ...], as_json: bool) -> None:
    """Make faces undecided again."""
    _decide(folder, ids, Decision.UNDECIDED, as_json)


@faces.command()
@json_option
@click.pass_obj
def undo(folder: Path, as_json: bool) -> None:
    """Take the last decision back, also one of an earlier day."""
    with open_project(folder).store() as store:
        _tell(Ledger(store).undo(), "Undone", as_json)


@faces.command()
@json_option
@click.pass_obj
def redo(folder: Path, as_json: bool) -> None:
    """Do the last undone decision again."""
    with open_project(folder).store() as store:
        _tell(Ledger(store).redo(), "Done again", as_json)


@faces.command()
@click.option("--count", type=click.IntRange(1, 10_000), default=24, show_default=True, help="How many to have kept.")
@json_option
@click.pass_obj
def pick(folder: Path, count: int, as_json: bool) -> None:
    """Keep the most useful faces; one undo takes all of it back."""
    project = open_project(folder)
    chosen = pick_faces(_of_person(project), count)
    if not chosen:
        raise FaceError("there is no face to pick from", "scan first: limner faces scan --person NAME")
    with project.store() as store:
        wanted = [face.id for face, _ in chosen if face.decision is Decision.UNDECIDED]
        action = Ledger(store).decide(wanted, Decision.KEEP)
    if as_json:
        picked = [{"face": face.id, "path": _path(face), "why": why} for face, why in chosen]
        document({"faces": picked, "kept": list(action.faces)})
        return
    table(("id", "file", "why"), [(face.id, face.file_name, why) for face, why in chosen])
    narrate(f"{len(action.faces)} more kept, {len(chosen)} in all. Take it back with: limner faces undo")


def follow_scan(job: JobFolder) -> None:
    """Follows a scan to its end with a line on standard error.

    Raises:
        JobError: it failed; in the words of its error.
    """
    error: events.Error | None = None
    began, shown = time.monotonic(), False
    live = sys.stderr.isatty()
    for entry in follow(job):
        match entry.event:
            case events.Phase(done=done, total=total) if live:
                seconds = time.monotonic() - began
                click.echo(f"\r{done:,} of {total:,} faces, {seconds:.0f} s ", nl=False, err=True)
                shown = True
            case events.Error():
                error = entry.event
            case events.Job(state=events.JobState.FAILED, reason=reason):
                if shown:
                    click.echo(err=True)
                raise JobError(error.message, error.fix) if error else JobError(reason or "the scan failed")
            case events.Job(state=events.JobState.DONE, reason=reason) if reason:
                raise JobError("the scan was stopped", "start it again with: limner faces scan")
    if shown:
        click.echo(err=True)


def _of_person(project: Project) -> list[Face]:
    with project.store() as store:
        return Ledger(store).faces(project.settings.person.uid)


def _decide(folder: Path, ids: tuple[int, ...], decision: Decision, as_json: bool) -> None:
    with open_project(folder).store() as store:
        action = Ledger(store).decide(ids, decision)
    _tell(action if action.faces else None, "Saved", as_json)


def _tell(action: Action | None, what: str, as_json: bool) -> None:
    if as_json:
        document({"action": action.label if action else None, "faces": list(action.faces) if action else []})
        return
    narrate(f"{what}: {action.label}" if action else "Nothing to change.")


def _record(face: Face) -> dict[str, Any]:
    return {
        "id": face.id,
        "person": face.person,
        "path": _path(face),
        "box": [face.box.x, face.box.y, face.box.w, face.box.h],
        "face_px": face.face_px,
        "taken_at": face.taken_at,
        "confirmed": face.confirmed,
        "decision": face.decision.value,
        "problem": face.problem,
        "warning": face.warning,
        "marker": face.marker_uid,
        "photo": face.photo_uid,
        "width": face.image_width,
        "height": face.image_height,
    }


def _path(face: Face) -> str:
    return str(face.path) if face.path else face.file_name


def _sure(face: Face) -> str:
    return "confirmed" if face.confirmed else "matched"


def _note(face: Face) -> str:
    return face.problem or face.warning or ""
