"""What ``limner paint`` understands on its command line."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import click

from engine.pictures.orders.face_fix import FaceFix
from engine.pictures.orders.orders import named_size
from engine.pictures.orders.picture import Hires, Upscaler
from engine.settings import Settings
from engine.settings.samplers import read_sampler, read_schedule
from engine.settings.sizes import SizeName
from engine.storage.project_paths import expand_home


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
