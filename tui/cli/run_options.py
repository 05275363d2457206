"""Options that change settings for one run, the same for every command that plans or starts one."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection
from typing import Any

import click

from engine.storage.untrusted_files import parse_toml
from engine.training.planning.presets import preset_size

OPTIONS: tuple[tuple[str, str, type, str], ...] = (
    ("epochs", "epochs", int, "Passes over all images."),
    ("repeats", "repeats", int, "How many times an epoch uses each image."),
    ("batch", "batch_size", int, "Images per batch."),
    ("resolution", "resolution", int, "Pixels per side."),
    ("network", "network", str, "The kind of network: lora or lokr."),
    ("rank", "rank", int, "The LoRA's rank."),
    ("alpha", "alpha", float, "The LoRA's alpha, its scale is alpha / rank; default: half the rank."),
    ("factor", "factor", int, "Into how many parts a LoKr divides each side of a weight; -1: near its square root."),
    ("learning-rate", "learning_rate", float, "The peak learning rate."),
    ("seed", "seed", int, "The seed of everything random: the same seed repeats the run."),
    ("price", "price_per_hour", float, "This machine's price per hour."),
    ("budget", "budget", float, "Stop before an epoch that would cost more in total."),
    ("budget-hours", "budget_hours", float, "Stop before an epoch that would take longer in total."),
)
"""Training settings that have an option of their own: its name, the setting's, its kind, what it says; ``--set``
reaches all."""


def run_options(command: Any) -> Any:
    """Adds the options to a command."""
    return run_options_except()(command)


def run_options_except(*names: str) -> Callable[[Any], Any]:
    """Adds the options to a command, but for some that it has itself."""
    return lambda command: _add(command, names)


def _add(command: Any, left_out: Collection[str]) -> Any:
    any_setting = "Any setting, such as training.ema_decay=0.99."
    command = click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help=any_setting)(command)
    command = click.option(
        "--memory",
        type=click.FloatRange(min=0, min_open=True),
        metavar="GB",
        help="The preset for a card of so much memory.",
    )(command)
    for name, setting, kind, words in reversed([each for each in OPTIONS if each[0] not in left_out]):
        command = click.option(f"--{name}", setting, type=kind, help=words)(command)
    return command


def changes(sets: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
    """What the options of a command change, by dotted key.

    Raises:
        click.UsageError: a ``--set`` that is not KEY=VALUE.
    """
    memory = options.get("memory")
    options = {name: value for name, value in options.items() if name != "memory"}
    found = {f"training.{name}": value for name, value in options.items() if value is not None}
    if memory is not None:
        found["training.preset"] = preset_size(memory)
    for text in sets:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise click.UsageError(f"--set {text}: write it as KEY=VALUE, such as training.epochs=5")
        found[key if "." in key else f"training.{key}"] = _value(value)
    return found


def _value(text: str) -> Any:
    """A value as TOML reads it, or the plain text."""
    try:
        return parse_toml(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
