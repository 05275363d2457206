"""What ``limner paint`` and those that paint as well understand on their command lines."""

from __future__ import annotations

import re
import sys
from dataclasses import fields
from typing import Any

import click

from engine.errors import JobError
from engine.pictures.orders.face_fix import FaceFix
from engine.pictures.orders.orders import named_size
from engine.pictures.orders.picture import Hires, Upscaler
from engine.project import Project
from engine.settings import Settings
from engine.settings.samplers import read_sampler, read_schedule
from engine.settings.sizes import SizeName
from engine.storage.project_paths import expand_home
from tui.cli.report import narrate


class LoraAtStrength(click.ParamType):  # type: ignore[type-arg]
    """``FILE``, ``FILE:STRENGTH`` or ``none``."""

    name = "file:strength"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A path (None for none) and a strength (None where not given)."""
        if not isinstance(value, str):
            return value
        if value == "none":
            return None, None
        file, _, strength = value.rpartition(":")
        if file and re.fullmatch(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", strength):
            return expand_home(file), float(strength)
        if re.search(r"\.safetensors:", value):
            self.fail(f"{value!r}: the weight after the colon is not a number", param, ctx)
        return expand_home(value), None


class Size(click.ParamType):  # type: ignore[type-arg]
    """``832x1216``, or a usual size by its name: ``portrait``."""

    name = "wxh"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Width and height in pixels, or the name."""
        if not isinstance(value, str):
            return value
        if value.lower() in list(SizeName):
            return SizeName(value.lower())
        m = re.fullmatch(r"(\d{2,4})x(\d{2,4})", value)
        if not m:
            self.fail(f"{value!r} is not a valid size; write it as 832x1216, or {', '.join(SizeName)}", param, ctx)
        return int(m[1]), int(m[2])


SIZE_HELP = f"WxH in pixels, or {', '.join(SizeName)}; left out: as the settings and the base model have it."


def in_pixels(size: SizeName | tuple[int, int], settings: Settings) -> tuple[int, int]:
    """What ``Size`` read, in pixels."""
    return named_size(size, settings) if isinstance(size, SizeName) else size


class SamplerName(click.ParamType):  # type: ignore[type-arg]
    """``Euler a``, or with its schedule: ``DPM++ 2M Karras``."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The sampler, and the schedule that its name holds or None."""
        try:
            return read_sampler(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


class ScheduleName(click.ParamType):  # type: ignore[type-arg]
    """``Karras``."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The noise schedule."""
        try:
            return read_schedule(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


class FaceFixSetting(click.ParamType):  # type: ignore[type-arg]
    """``KEY=NUMBER``, a key of ``engine.pictures.orders.face_fix.FaceFix``."""

    name = "key=number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The key and its number."""
        if not isinstance(value, str):
            return value
        key, _, number = value.partition("=")
        kinds: dict[str, type[float] | type[int]] = {
            each.name: int if each.type == "int" else float for each in fields(FaceFix) if each.type != "bool"
        }
        if key not in kinds:
            self.fail(f"{key!r} is not a face fix setting; there are {', '.join(kinds)}", param, ctx)
        try:
            return key, kinds[key](number)
        except ValueError:
            self.fail(f"{value!r} has no number; write it as {key}={getattr(FaceFix(), key):g}", param, ctx)


class SecondPass(click.ParamType):  # type: ignore[type-arg]
    """``SCALE``, ``SCALE:DENOISE`` or ``SCALE:DENOISE:latent``."""

    name = "scale[:denoise[:latent]]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The second pass."""
        if not isinstance(value, str):
            return value
        scale, _, rest = value.partition(":")
        denoise, _, word = rest.partition(":")
        upscalers = {each.value.lower(): each for each in Upscaler}
        try:
            upscaler = upscalers[word.lower()] if word else Upscaler.LANCZOS
            return Hires(float(scale), float(denoise) if denoise else Hires().denoise, None, upscaler)
        except (KeyError, ValueError):
            self.fail(f"{value!r} is not a valid second pass; write it as 1.5, 1.5:0.35 or 2:0.6:latent", param, ctx)


def painter_options(command: Any) -> Any:
    """Adds the options that say on which machine this project's pictures are painted."""
    command = click.option("--yes", is_flag=True, help="With --on: send what is told without asking.")(command)
    words = "Paint on this machine of yours from now on (limner remote); --on here: here again."
    return click.option("--on", metavar="NAME", help=words)(command)


def choose_painter(project: Project, name: str | None, yes: bool) -> None:
    """Has this project's pictures painted on a machine of the user's list from now on, once that may be.

    Raises:
        RemoteError: there is no such machine.
        JobError: what is needed there may not go there.
    """
    from engine.pictures.orders.painter_machine import HERE, paint_on, painter_machine
    from engine.remote.boxes import box_named
    from engine.security.trust import confirm, confirmed_addresses

    if name is None:
        if (kept := painter_machine(project)) is not None:
            narrate(f"Painted on {kept}. Here again: --on {HERE}")
        return
    if name == HERE:
        paint_on(project, None)
        return
    box = box_named(name)
    if box.address not in confirmed_addresses(project.root):
        narrate(f"To {box.name} ({box.address}) go prompts, settings, and the LoRAs and pictures that orders name.")
        narrate("No training image goes there, no photo, no name, no password.")
        if not yes and not (sys.stdin.isatty() and click.confirm("Send them?", err=True)):
            raise JobError("nothing was sent", f"if they may go there: --on {name} --yes")
        confirm(project.root, box.address)
    paint_on(project, box.name)
