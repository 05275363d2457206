"""The command ``paint``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from engine.errors import PictureError
from engine.lora.header import read_header
from engine.pictures.orders.face_fix import FaceFix
from engine.pictures.orders.orders import SEEDS, order_for, told_of_prompts, usual_lora
from engine.pictures.orders.picture import (
    LoraWeight,
    Picture,
    PictureOrder,
    PictureState,
    checked,
    order_from_record,
)
from engine.pictures.orders.queue import Queue
from engine.pictures.orders.start import order_pictures, wait_for, warnings_of
from engine.project import Project, open_project
from engine.prompts.extra_networks import strip
from engine.settings.samplers import NoiseSchedule, ignored_schedule
from engine.storage.untrusted_files import read_json
from tui.cli.paint_options import (
    SIZE_HELP,
    FaceFixSetting,
    LoraAtStrength,
    SamplerName,
    ScheduleName,
    SecondPass,
    Size,
    choose_painter,
    in_pixels,
    painter_options,
)
from tui.cli.report import document, echo, json_option, narrate

Lora = tuple[Path | None, float | None]


@click.command()
@click.argument("prompt", required=False)
@click.option("--negative", help="The negative prompt.")
@click.option(
    "--lora",
    "loras",
    type=LoraAtStrength(),
    multiple=True,
    help="FILE:STRENGTH or none; may be repeated; default: the newest run's last checkpoint.",
)
@click.option("--seed", type=click.IntRange(0, SEEDS - 1), help="The same seed gives the same picture.")
@click.option(
    "--count",
    default=1,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="How many pictures, with consecutive seeds.",
)
@click.option("--steps", type=click.IntRange(1, 500))
@click.option("--guidance", type=click.FloatRange(0, 50), help="Guidance scale (CFG).")
@click.option("--sampler", type=SamplerName(), help="By A1111's name: “Euler a”, “DPM++ 2M Karras” …")
@click.option("--schedule", type=ScheduleName(), help="Noise schedule: Karras, Exponential, SGM Uniform, Uniform.")
@click.option("--size", type=Size(), help=SIZE_HELP)
@click.option(
    "--from", "source", type=click.Path(path_type=Path, dir_okay=False), help="A picture to start from (img2img)."
)
@click.option("--denoise", type=click.FloatRange(0, 1, min_open=True), help="Denoising strength, above 0 to 1.")
@click.option("--hires", type=SecondPass(), help="The scale of a second pass (hires fix).")
@click.option("--face-fix", is_flag=True, help="Fix small faces; the closer likeness is kept.")
@click.option("--face-fix-with", "face_fixes", type=FaceFixSetting(), multiple=True, help="Such as denoise=0.3.")
@click.option("--priority", type=click.IntRange(-100, 100), help="Higher ones are painted first.")
@click.option("--wait/--no-wait", default=True, help="Wait until it is painted, or only queue it.")
@painter_options
@click.option("--orders", type=click.Path(path_type=Path, dir_okay=False), hidden=True)
@click.option("-o", "out", type=click.Path(path_type=Path, dir_okay=False), help="The PNG; never overwritten.")
@json_option
@click.pass_obj
def paint(
    folder: Path,
    /,
    prompt: str | None,
    loras: tuple[Lora, ...],
    seed: int | None,
    count: int,
    wait: bool,
    out: Path | None,
    on: str | None,
    yes: bool,
    orders: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Paint a picture of PROMPT (default: the project's own prompt)."""
    project = open_project(folder)
    if orders is not None:
        document({"pictures": [record(picture) for picture in _of_a_file(project, orders)]})
        return
    choose_painter(project, on, yes)
    remarks: dict[str, None] = {}
    if options["size"] is not None:
        options["size"] = in_pixels(options["size"], project.settings)
    text = prompt if prompt is not None else project.settings.painting.style
    first = _order(project, text, loras, seed, out)
    wanted = [_with_options(first, options)]
    for number in range(1, count):
        following = _order(project, text, loras, (first.seed + number) % SEEDS, out)
        wanted.append(_with_options(following, options))
    for order in wanted:
        checked(order)
        remarks.update(
            dict.fromkeys(told_of_prompts(project, [text], order.seed, order.steps, [order.negative], order.guidance))
        )
    if (ignored := ignored_schedule(wanted[0].sampler, wanted[0].schedule)) is not None:
        remarks[ignored] = None
    for remark in remarks:
        narrate(remark)
    seeds = f"seed {first.seed}" if count == 1 else f"{count} seeds from {first.seed}"
    narrate(f"Painting “{' '.join(first.prompt.split())}”, {_lora_words(first)}, {seeds} …")
    if wait:
        pictures = _painted(project, wanted)
    else:
        pictures = order_pictures(project, wanted)
        narrate("Queued; see: limner queue")
    if as_json:
        document({"pictures": [record(picture) for picture in pictures]})
        return
    for picture in pictures:
        echo(picture.path if wait else picture.id)


def _of_a_file(project: Project, path: Path) -> list[Picture]:
    """Pictures that another machine ordered, each as it ended; what was painted before is not painted again."""
    try:
        records = read_json(path)
        if not isinstance(records, list):
            raise TypeError(records)
        ordered = [checked(order_from_record(each)) for each in records]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PictureError(f"{path} holds no orders", "it is written by: limner paint --on") from error
    for order in ordered:
        order.path.parent.mkdir(parents=True, exist_ok=True)
    return wait_for(project, [each.id for each in order_pictures(project, ordered, only_missing=True)])


def record(picture: Picture) -> dict[str, Any]:
    """A picture as ``--json`` prints it."""
    return {
        "id": picture.id,
        "state": picture.state.value,
        **picture.to_record(),
        "seconds": picture.seconds,
        "reason": picture.reason,
    }


def _lora_words(order: PictureOrder) -> str:
    """What an order is painted with, the LoRAs that its prompt names included."""
    given = {each.file.stem: each.unet for each in order.loras()}
    named = {tag.name.rpartition("/")[2]: tag.unet for tag in strip(order.prompt).loras}
    return " and ".join(f"{name} at {weight:g}" for name, weight in {**given, **named}.items()) or "no LoRA"


def _order(project: Project, prompt: str, loras: tuple[Lora, ...], seed: int | None, out: Path | None) -> PictureOrder:
    given = list(loras) or [(usual_lora(project, prompt), None)]
    usual = project.settings.painting.strength
    weights = [
        (file.resolve(), usual if strength is None else strength) for file, strength in given if file is not None
    ]
    for file, _ in weights:
        read_header(file)
    order = order_for(
        project,
        prompt,
        seed=seed,
        lora=weights[0][0] if weights else None,
        strength=weights[0][1] if weights else None,
        path=_png(out) if out else None,
    )
    return replace(order, others=tuple(LoraWeight(file, strength, strength) for file, strength in weights[1:]))


def _with_options(order: PictureOrder, options: dict[str, Any]) -> PictureOrder:
    """The order with what the command line said otherwise."""
    given = {key: value for key, value in options.items() if value is not None}
    settings = dict(given.pop("face_fixes"))
    if given.pop("face_fix") or settings:
        given["face_fix"] = replace(order.face_fix or FaceFix(), **settings)
    if "sampler" in given:
        given["sampler"], schedule = given["sampler"]
        # Another sampler has a usual schedule of its own.
        given.setdefault("schedule", schedule or NoiseSchedule.AUTOMATIC)
    if "size" in given:
        given["width"], given["height"] = given.pop("size")
    return replace(order, **given)


def _png(out: Path) -> Path:
    if out.suffix.lower() != ".png":
        raise click.UsageError(f"-o {out}: pictures are written as .png")
    return out.absolute()


def _painted(project: Project, orders: list[PictureOrder]) -> list[Picture]:
    numbers = [picture.id for picture in order_pictures(project, orders)]

    def tell(picture: Picture) -> None:
        if picture.state is not PictureState.DONE:
            narrate(f"seed {picture.seed}: {picture.reason or picture.state.value}")

    try:
        pictures = wait_for(project, numbers, tell if len(numbers) > 1 else lambda _picture: None)
    except KeyboardInterrupt:
        with project.store() as store:
            for number in numbers:
                Queue(store).cancel(number)
        raise click.Abort from None
    done = [picture for picture in pictures if picture.state is PictureState.DONE]
    if not done:
        raise PictureError(pictures[0].reason or "the picture was cancelled")
    for warning in warnings_of(project, [picture.id for picture in done]):
        narrate(warning)
    return done
