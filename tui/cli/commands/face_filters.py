"""Commands about which faces are looked for: the mix that is wanted, the filter's words, saved filters."""

from __future__ import annotations

from pathlib import Path

import click

from engine.faces.records.decisions import Ledger
from engine.project import open_project
from tui.cli.filter_argument import FilterCommand
from tui.cli.report import document, json_option, narrate, table


@click.command()
@click.option("--close", type=click.IntRange(0, 1000), help="Close-ups wanted.")
@click.option("--half", type=click.IntRange(0, 1000), help="Half bodies wanted.")
@click.option("--full", type=click.IntRange(0, 1000), help="Full bodies wanted.")
@json_option
@click.pass_obj
def target(folder: Path, close: int | None, half: int | None, full: int | None, as_json: bool) -> None:
    """Compare the mix of the kept faces with the target mix; the options set the target."""
    from engine.faces.selection.pick import target_of
    from engine.faces.selection.target_mix import mix_of

    project = open_project(folder)
    wanted = {"faces.close": close, "faces.half": half, "faces.full": full}
    if changes := {name: count for name, count in wanted.items() if count is not None}:
        project.change(changes)
    with project.store() as store:
        faces = Ledger(store).faces(project.settings.person.uid)
    mix = mix_of(faces, target_of(project.settings.faces))
    if as_json:
        framings = [
            {"framing": each.value, "kept": mix.framings[each], "wanted": mix.target[each]} for each in mix.target
        ]
        views = {view.value if view else "not measured": count for view, count in mix.views.items()}
        lights = {light.value if light else "not measured": count for light, count in mix.lights.items()}
        told = {"framings": framings, "views": views, "lights": lights, "years": dict(sorted(mix.years.items()))}
        document({**told, "kept": mix.kept, "missing": mix.missing})
        return
    table(("framing", "kept", "wanted"), [(each.value, mix.framings[each], mix.target[each]) for each in mix.target])
    if mix.kept:
        narrate(f"heads: {mix.views_line}")
        narrate(f"light: {mix.lights_line}")
        narrate(f"years: {', '.join(f'{year} {count}' for year, count in sorted(mix.years.items()))}")
    narrate(f"{mix.kept:,} kept; missing: {', '.join(mix.missing) or 'nothing'}")


@click.command()
@json_option
def words(as_json: bool) -> None:
    """List every word that a filter understands."""
    from engine.faces.selection.filter import explain

    known = explain()
    if as_json:
        document({"words": [{"word": word, "about": about} for word, about in known]})
        return
    table(("word", "the faces it selects"), known)


@click.command()
@json_option
@click.pass_obj
def filters(folder: Path, as_json: bool) -> None:
    """List the saved filters; @name inserts one into a filter."""
    from engine.faces.selection.saved_filters import SavedFilters

    with open_project(folder).store() as store:
        saved = SavedFilters(store).all()
    if as_json:
        document({"filters": [{"name": name, "filter": line} for name, line in saved.items()]})
        return
    if saved:
        table(("name", "filter"), list(saved.items()))
    narrate(f"{len(saved)} saved")


@click.command(cls=FilterCommand)
@click.argument("name")
@click.argument("words", nargs=-1, metavar="FILTER")
@click.option("--forget", is_flag=True, help="Delete the saved filter.")
@click.pass_obj
def save(folder: Path, name: str, words: tuple[str, ...], forget: bool) -> None:
    """Save a filter under a name."""
    from engine.faces.selection.saved_filters import SavedFilters

    if forget == bool(words):
        raise click.UsageError("Give a filter to save, or --forget.")
    with open_project(folder).store() as store:
        saved = SavedFilters(store)
        if forget:
            saved.forget(name)
        else:
            saved.save(name, " ".join(words))
    narrate(f"Deleted: @{name}" if forget else f"Saved: @{name}")
