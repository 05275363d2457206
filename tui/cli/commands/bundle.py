"""Commands that carry a project to another machine and its runs home: ``bundle`` and ``unbundle``."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from engine.bundle.bundle import Bundled, bundle_pictures, bundle_project, bundle_runs
from engine.bundle.pictures import PicturesBroughtHome
from engine.bundle.unbundle import names_of
from engine.bundle.unbundle import unbundle as open_bundle
from engine.counting import many
from engine.project import Project, open_project
from tui.cli.progress import Narrator
from tui.cli.report import document, echo, json_option, narrate

_path = click.Path(path_type=Path)


@click.command()
@click.option(
    "-o",
    "--output",
    type=_path,
    help="The file to write; default: named after the project and the day, in this folder.",
)
@click.option("--runs", is_flag=True, help="Pack the runs instead: logs, checkpoints and samples.")
@click.option("--run", "names", metavar="RUN", multiple=True, help="Only this run; may be repeated.")
@click.option("--state", is_flag=True, help="With the runs, also the state to resume them from.")
@click.option("--pictures", is_flag=True, help="Pack the pictures instead, with stars, votes and grids.")
@click.option("--with-library", is_flag=True, help="Also the library's address, and paths of this machine.")
@json_option
@click.pass_obj
def bundle(
    folder: Path,
    output: Path | None,
    runs: bool,
    names: tuple[str, ...],
    state: bool,
    pictures: bool,
    with_library: bool,
    as_json: bool,
) -> None:
    """Pack this project into one file, to train it on another machine; or its runs or pictures, to bring them home.

    Settings, dataset, captions and prompts travel. The library, its photos, the person's name in it, passwords and this
    machine's paths stay here.
    """
    if (runs or names or pictures) and with_library:
        raise click.UsageError("--with-library goes with a project, not with runs or pictures")
    if (runs or names) and pictures:
        raise click.UsageError("runs and pictures are two bundles: make one after the other")
    if state and not (runs or names):
        raise click.UsageError("--state goes with --runs")
    project = open_project(folder)
    part = "runs" if runs or names else "pictures" if pictures else ""
    word = f"{project.root.name}-{part}" if part else project.root.name
    path = output or Path(f"{word}-{time.strftime('%Y%m%d-%H%M')}.limner")
    told = _Told("packed")
    if runs or names:
        made = bundle_runs(project, path, names, state, told)
    elif pictures:
        made = bundle_pictures(project, path, told)
    else:
        made = bundle_project(project, path, with_library, told)
    if as_json:
        document(_record(made))
        return
    echo(str(made.path))
    for name in made.alive:
        narrate(f"{name} is still running and was left out: bundle it when it is done.")
    if made.left_out:
        narrate(f"Left out, as they only apply to this machine: {', '.join(made.left_out)}. Set them there.")
    there = project.root.name if part else "DIR"
    narrate(
        f"{_megabytes(made.path.stat().st_size)} MB. On the other machine: limner unbundle {made.path.name} {there}"
    )


@click.command()
@click.argument("file", type=_path)
@click.argument("target", metavar="DIR", type=_path)
@click.option("--with-addresses", is_flag=True, help="Also apply the servers and paths in its settings.")
@json_option
def unbundle(file: Path, target: Path, with_addresses: bool, as_json: bool) -> None:
    """Open a bundle: a project becomes the folder DIR; runs and pictures go into the project DIR.

    Nothing there is overwritten.

    Servers and paths that its settings name are set aside, and told: passwords of this machine would go there.
    """
    opened = open_bundle(file, target, _Told("unpacked"), with_addresses)
    if as_json:
        runs = [{"id": each.id, "name": each.name, "how": each.how.value, "why": each.why} for each in opened.runs]
        told: dict[str, Any] = {
            "kind": opened.kind.value,
            "project": str(opened.project.root),
            "files": opened.files,
            "runs": runs,
        }
        if opened.pictures:
            told["pictures"] = asdict(opened.pictures)
        document({**told, "set_aside": list(opened.set_aside)})
        return
    for line in names_of(opened.runs):
        echo(line)
    if opened.pictures:
        echo(_told_of_pictures(opened.pictures))
        narrate(f"See them with: limner -C {target} pictures list")
    elif opened.runs:
        narrate(f"See them with: limner -C {target} runs")
    else:
        echo(str(opened.project.root))
        for setting in opened.set_aside:
            narrate(f"set aside: {setting} (write it into {target / 'limner.toml'} if you trust it)")
        narrate(_next(opened.project, target))


class _Told:
    """Tells how far it is, in megabytes."""

    def __init__(self, word: str) -> None:
        self._word, self._narrator = word, Narrator()

    def __call__(self, done: int, total: int) -> None:
        text = f"{_megabytes(done)} of {_megabytes(total)} MB {self._word}"
        self._narrator.progress(text, last=done >= total)


def _next(project: Project, target: Path) -> str:
    """What to do on a machine that a project was carried to."""
    person = project.settings.person
    return f"A project of {person.trigger} {person.class_word}. Next: limner -C {target} doctor, then train"


def _told_of_pictures(home: PicturesBroughtHome) -> str:
    known = f", {home.known} here already" if home.known else ""
    grids = f", {many(home.grids, 'grid')}" if home.grids else ""
    return f"{many(home.new, 'new picture')}{known}{grids}"


def _record(made: Bundled) -> dict[str, object]:
    return {
        "path": str(made.path),
        "kind": made.about.kind.value,
        "files": made.about.files,
        "bytes": made.path.stat().st_size,
        "runs": list(made.runs),
        "under_way": list(made.alive),
        "left_out": list(made.left_out),
    }


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f}"
