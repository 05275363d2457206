"""Commands about captions: write them, and work on the tags of the whole set, with undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from engine import events
from engine.counting import many
from engine.dataset.captions.bulk_edits import Edit, added, cleaned, having, removed, renamed, tag_counts
from engine.dataset.captions.cleanup_rules import RULES, Rule, is_on
from engine.dataset.captions.journal import CaptionJournal, Change
from engine.dataset.captions.registry import TEMPLATE, captioners
from engine.dataset.captions.registry import captioner as find_captioner
from engine.dataset.captions.start import start_captioning
from engine.dataset.files.layout import DatasetFolder, TrainingImage
from engine.errors import DatasetError, JobError
from engine.jobs.folder import JobFolder
from engine.jobs.follow import follow
from engine.llm.server import canonical_address
from engine.project import Project, open_project
from engine.security.trust import confirm
from engine.settings import CaptionsSettings
from tui.cli.dataset_records import image_records
from tui.cli.progress import Narrator
from tui.cli.report import document, json_option, narrate, say, table

SHOWN = 8
"""Captions that a preview shows one by one; the rest is counted."""


_WHO = "\n".join(f"{name:<10} {each.summary}" for name, each in captioners().items())

_HELP = f"""Write captions for images that have none, or only the template's.

\b
{_WHO}

Trigger and class word come first, once. What always shows of the person (eyes, hair, skin) is taken out, so that it is
learned: --rules shows the rules. limner captions undo takes all of it back.
"""


@click.command(help=_HELP)
@click.option("--with", "with_", type=click.Choice(list(captioners())), default=TEMPLATE, help="Captioner to use.")
@click.option("--model", help="The model for this call: a folder, a hub name, or its name on the server.")
@click.option("--url", help="The vision model's server for this call, such as http://127.0.0.1:11434/v1")
@click.option("--image", "images", multiple=True, metavar="NAME", help="Only this image; may be repeated.")
@click.option("--overwrite", is_flag=True, help="Also captions that were written or edited by hand.")
@click.option("--rules", "show_rules", is_flag=True, help="Show the clean-up rules, and write nothing.")
@json_option
@click.pass_obj
def caption(
    folder: Path,
    with_: str,
    model: str | None,
    url: str | None,
    images: tuple[str, ...],
    overwrite: bool,
    show_rules: bool,
    as_json: bool,
) -> None:
    """Writes captions; its help names the captioners that there are."""
    project = open_project(folder)
    if show_rules:
        _show_rules(project, as_json)
        return
    captioner = find_captioner(with_)
    changes = {"captions.url": url} if url else {}
    if url:
        # Typed just now, which confirms it.
        confirm(project.root, canonical_address(url))
    if model:
        if captioner.model_setting is None:
            having = [name for name, each in captioners().items() if each.model_setting is not None]
            raise click.UsageError(f"--model needs --with {', '.join(having[:-1])} or {having[-1]}.")
        changes[captioner.model_setting] = model
    before = {each.path.name: each.caption for each in DatasetFolder(project).images()}
    names = [_image_name(name, before) for name in images]
    job = start_captioning(project, captioner.name, overwrite, names or None, changes)
    _follow(job)
    now = DatasetFolder(project).images()
    written = sum(each.caption != before.get(each.path.name) for each in now)
    if as_json:
        document({"written": written, "captioner": captioner.name, "images": image_records(now)})
        return
    captions = many(written, "caption")
    narrate(f"{captions} written, {len(now) - written} left unchanged.")
    if written:
        narrate("See them with: limner dataset list; undo with: limner captions undo")


@click.group()
def captions() -> None:
    """Work on the tags of the whole set: count, rename, remove, add, clean, undo."""


def _changing(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that changes captions."""
    command = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")(command)
    command = click.option("--dry-run", is_flag=True, help="Only show what would change.")(command)
    return click.option("--where", metavar="TAG", help="Only captions with this tag; -TAG: without it.")(command)


@captions.command()
@json_option
@click.pass_obj
def tags(folder: Path, as_json: bool) -> None:
    """How many images have each tag."""
    project = open_project(folder)
    images = _images(project)
    counts = tag_counts(images, project.settings.person)
    if as_json:
        found = [{"tag": each.tag, "images": each.images} for each in counts]
        document({"images": len(images), "tags": found})
        return
    table(("images", "tag"), [(each.images, each.tag) for each in counts])


@captions.command()
@click.argument("old")
@click.argument("new")
@_changing
@click.pass_obj
def rename(folder: Path, old: str, new: str, where: str | None, dry_run: bool, as_json: bool) -> None:
    """Rename a tag in every caption."""
    project = open_project(folder)
    _make(project, renamed(_images(project, where), old, new, project.settings), dry_run, as_json)


@captions.command()
@click.argument("names", nargs=-1, required=True, metavar="TAG…")
@_changing
@click.pass_obj
def remove(folder: Path, names: tuple[str, ...], where: str | None, dry_run: bool, as_json: bool) -> None:
    """Remove tags from every caption."""
    project = open_project(folder)
    _make(project, removed(_images(project, where), names, project.settings), dry_run, as_json)


@captions.command()
@click.argument("tag")
@click.option("--first", is_flag=True, help="Right after the class word instead of at the end.")
@_changing
@click.pass_obj
def add(folder: Path, tag: str, first: bool, where: str | None, dry_run: bool, as_json: bool) -> None:
    """Add a tag to every caption that lacks it."""
    project = open_project(folder)
    _make(project, added(_images(project, where), tag, project.settings, first), dry_run, as_json)


@captions.command()
@_changing
@click.pass_obj
def clean(folder: Path, where: str | None, dry_run: bool, as_json: bool) -> None:
    """Apply the clean-up rules to the existing captions."""
    project = open_project(folder)
    _make(project, cleaned(_images(project, where), project.settings), dry_run, as_json)


@captions.command("set")
@click.argument("image")
@click.argument("text")
@json_option
@click.pass_obj
def set_(folder: Path, image: str, text: str, as_json: bool) -> None:
    """Write the caption of one image."""
    project = open_project(folder)
    there = {each.path.name: each.caption for each in _images(project)}
    name = _image_name(image, there)
    with project.store() as store:
        change = CaptionJournal(store, DatasetFolder(project)).write({name: text}, f"edit {name}")
    _report(change, as_json)


@captions.command()
@json_option
@click.pass_obj
def undo(folder: Path, as_json: bool) -> None:
    """Undo the last caption change, even from an earlier day."""
    project = open_project(folder)
    with project.store() as store:
        change = CaptionJournal(store, DatasetFolder(project)).undo()
    if change is None:
        raise DatasetError("there is nothing to undo", "")
    _report(change, as_json, "undone: ")


@captions.command()
@json_option
@click.pass_obj
def redo(folder: Path, as_json: bool) -> None:
    """Redo what was undone."""
    project = open_project(folder)
    with project.store() as store:
        change = CaptionJournal(store, DatasetFolder(project)).redo()
    if change is None:
        raise DatasetError("there is nothing to redo", "")
    _report(change, as_json, "redone: ")


def _make(project: Project, edit: Edit, dry_run: bool, as_json: bool) -> None:
    """Shows the change, its number first, and makes it unless it is only to be shown."""
    if not as_json:
        count = len(edit.steps)
        narrate(f"{edit.label}: {count} caption{'' if count == 1 else 's'} {'would change' if dry_run else 'change'}")
        for step in edit.steps[:SHOWN]:
            say(f"{step.image}\n  - {step.before}\n  + {step.after}")
        if count > SHOWN:
            narrate(f"and {count - SHOWN} more")
    if not dry_run:
        with project.store() as store:
            CaptionJournal(store, DatasetFolder(project)).write(edit.captions, edit.label)
    if as_json:
        steps = [{"image": step.image, "before": step.before, "after": step.after} for step in edit.steps]
        document({"label": edit.label, "changed": not dry_run, "captions": steps})
    elif edit.steps and not dry_run:
        narrate("Undo with: limner captions undo")


def _report(change: Change, as_json: bool, word: str = "") -> None:
    if as_json:
        document({"label": change.label, "images": list(change.images), "left": list(change.left)})
        return
    narrate(f"{word}{change.label}, {len(change.images)} caption{'' if len(change.images) == 1 else 's'}")
    if change.left:
        narrate(f"left unchanged, edited outside of Limner since: {', '.join(change.left)}")


def _images(project: Project, where: str | None = None) -> list[TrainingImage]:
    images = DatasetFolder(project).images()
    if not images:
        raise DatasetError("there are no images yet", "make them with: limner dataset build")
    if where is None:
        return images
    found = having(images, where, project.settings.person)
    if not found:
        raise DatasetError(f"no caption fits {where}", "list the tags with: limner captions tags")
    return found


def _image_name(word: str, there: dict[str, str]) -> str:
    """An image by its name, with or without the suffix."""
    fitting = [name for name in there if word in (name, Path(name).stem)]
    if not fitting:
        raise DatasetError(f"there is no image {word}", "list them with: limner dataset list")
    return fitting[0]


def _show_rules(project: Project, as_json: bool) -> None:
    settings = project.settings.captions
    if as_json:
        own = {"drop": list(settings.drop), "keep": list(settings.keep), "replace": settings.replace}
        document({"rules": [rule.record(is_on(rule, settings)) for rule in RULES], **own})
        return
    table(("rule", "", "what it removes or changes"), [_rule_row(rule, settings) for rule in RULES])
    for words, own_words in (("drop", settings.drop), ("keep", settings.keep)):
        if own_words:
            narrate(f"captions.{words}: {', '.join(own_words)}")
    for old, new in settings.replace.items():
        narrate(f"captions.replace: {old} becomes {new}")
    narrate('Switch them in limner.toml: [captions] rules_off = ["hair"], rules_on = ["beard"]')


def _rule_row(rule: Rule, settings: CaptionsSettings) -> tuple[str, str, str]:
    return rule.id.value, "on" if is_on(rule, settings) else "off", rule.words


def _follow(job: JobFolder) -> None:
    """Tells how the captioner gets on until it is done. Raises JobError where it failed."""
    narrator = Narrator()
    error: events.Error | None = None
    for entry in follow(job):
        match entry.event:
            case events.Phase(name=name, done=done, total=total) if total:
                narrator.progress(f"{name} {done} of {total}", last=done == total)
            case events.Warning(message=message):
                narrator.note(f"! {message}")
            case events.Error():
                error = entry.event
            case events.Job(state=events.JobState.FAILED, reason=reason):
                if error is not None:
                    raise JobError(error.message, error.fix)
                raise JobError(reason or f"{job.id} failed")
