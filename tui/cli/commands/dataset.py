"""Commands about the dataset: build, list, export."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from engine import events
from engine.counting import many
from engine.dataset.build import build as build_dataset
from engine.dataset.files.layout import DatasetFolder, TrainingImage
from engine.dataset.readiness import Finding, TokenCount, findings
from engine.errors import LimnerError
from engine.faces.photo.geometry import Framing
from engine.project import Project, open_project
from tui.cli.dataset_records import image_records
from tui.cli.report import document, echo, json_option, narrate, table


@click.group()
def dataset() -> None:
    """Build the training images."""


@dataset.command()
@click.option(
    "--framing",
    type=click.Choice([each.value for each in Framing]),
    help="The same for all; default: as chosen for each face.",
)
@click.option("--overwrite", is_flag=True, help="Replace also images and captions that were changed by hand.")
@json_option
@click.pass_obj
def build(folder: Path, framing: str | None, overwrite: bool, as_json: bool) -> None:
    """Make 1024 × 1024 images with captions of the kept faces."""
    project = open_project(folder)
    live = sys.stderr.isatty()

    def tell(event: events.Event) -> None:
        if isinstance(event, events.Phase) and live:
            end = event.done == event.total
            echo(f"\r{event.done:,} of {event.total:,} images ", nl=end, err=True)
        elif isinstance(event, events.Warning):
            narrate(event.message)

    report = build_dataset(project, Framing(framing) if framing else None, tell, overwrite)
    if as_json:
        skipped = [{"face": face.id, "reason": reason} for face, reason in report.skipped]
        counts = {"cut": report.cut, "removed": report.removed, "upscaled": report.upscaled}
        left = {"by_hand": list(report.by_hand), "gone": report.gone}
        document(
            {"folder": str(report.folder), "images": image_records(report.images), **counts, **left, "skipped": skipped}
        )
        return
    narrate(f"{report.folder}: {' · '.join(DatasetFolder(project).checks())}")
    if report.upscaled:
        narrate(f"{report.upscaled} are smaller than 1024 pixels in their photo and were upscaled.")
    narrate("Next: limner dataset list, then limner train")


@dataset.command("list")
@json_option
@click.pass_obj
def list_(folder: Path, as_json: bool) -> None:
    """The training images and their captions."""
    project = open_project(folder)
    found = DatasetFolder(project)
    images, checks = found.images(), found.checks()
    missing = _missing(project, images)
    if as_json:
        told = [{"words": each.words, "images": list(each.images), "stops": each.stops} for each in missing]
        document({"folder": str(found.path), "images": image_records(images), "checks": checks, "missing": told})
        return
    if not images:
        narrate("There are no images yet. Make them with: limner dataset build")
        return
    rows = [(each.path.name, each.source_px or each.width, _mark(each), each.caption) for each in images]
    table(("image", "px", "note", "caption"), rows)
    narrate(" · ".join(checks))
    for each in missing:
        narrate(f"{'✗' if each.stops else '!'} {each.line}")


def _missing(project: Project, images: list[TrainingImage]) -> list[Finding]:
    """Check what is missing before training; tokens are counted where the base model's tokenizer is on this machine."""
    from engine.models.locate import find_base
    from engine.prompts.tokenizer import find_words

    settings = project.settings
    try:
        words = find_words(find_base(settings.base))
    except LimnerError:
        # A base model that is not there is told where it is needed.
        words = None
    count = TokenCount(lambda text: len(words.of(text)), words.room) if words is not None else None
    return findings(images, DatasetFolder(project).manifest(), settings, count) if images else []


@dataset.command()
@click.argument("source", required=False, type=click.Path(path_type=Path), metavar="[DIR]")
@click.option(
    "--repeats", type=click.IntRange(1, 1000), default=1, show_default=True, help="At most this many times per epoch."
)
@json_option
@click.pass_obj
def reg(folder: Path, source: Path | None, repeats: int, as_json: bool) -> None:
    """Regularisation images: copy those of DIR in, or show what is there.

    Pictures of others of the same class, so that the class word keeps its meaning. Off until there are any;
    training.regularisation = false in limner.toml switches them off.
    """
    from engine.dataset.regularisation import add_regularisation, passed_over, regularisation_folders

    project = open_project(folder)
    left: list[str] = []
    if source is not None:
        left = passed_over(source)
        into, count = add_regularisation(project, source, repeats)
        narrate(f"{count} image{'' if count == 1 else 's'} copied into {into}")
        if left:
            more = f" and {len(left) - 5} more" if len(left) > 5 else ""
            narrate(f"not used, no images that can be read: {', '.join(left[:5])}{more}")
    found = regularisation_folders(project)
    if as_json:
        rows = [{"path": str(each.path), "repeats": each.repeats, "images": len(each.images)} for each in found]
        enabled = bool(found) and project.settings.training.regularisation
        document({"enabled": enabled, "folders": rows, **({"not_used": left} if source is not None else {})})
        return
    if not found:
        narrate("There are no regularisation images. Add some with: limner dataset reg DIR")
        return
    table(("folder", "images", "repeats"), [(each.path.name, len(each.images), each.repeats) for each in found])
    if not project.settings.training.regularisation:
        narrate("training.regularisation is false: they are not used.")


def _mark(image: TrainingImage) -> str:
    if image.upscaled:
        return "enlarged"
    return "" if image.source_px else "by hand"


@click.command()
@click.argument("to", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--format", "form", type=click.Choice(["kohya", "imagefolder"]), default="kohya", show_default=True)
@click.option("--force", is_flag=True, help="Write into a folder that is not empty.")
@click.option(
    "--caption-extension",
    "extension",
    type=click.Choice([".txt", ".caption"]),
    default=".txt",
    show_default=True,
    help="The extension of kohya's caption files.",
)
@json_option
@click.pass_obj
def export(folder: Path, to: Path, form: str, force: bool, extension: str, as_json: bool) -> None:
    """Write the dataset for another trainer: kohya's sd-scripts, or a Hugging Face image folder."""
    from engine.dataset.export import ExportFormat
    from engine.dataset.export import export as write

    done = write(open_project(folder), to, ExportFormat(form), force, extension)
    if as_json:
        paths = {"folder": str(done.folder), "config": str(done.config)}
        document({**paths, "format": form, "images": done.images, "warnings": list(done.warnings)})
        return
    for warning in done.warnings:
        narrate(f"! {warning}")
    narrate(f"{many(done.images, 'image')} in {done.folder}, described by {done.config.name}")
    if form == "kohya":
        narrate(f"sd-scripts reads it with: --dataset_config {done.config}")
