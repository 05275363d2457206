"""Options that change settings for one run, the same for every command that plans or starts one."""

from __future__ import annotations

import tomllib
from typing import Any

import click

from engine.storage.untrusted_files import parse_toml
from engine.training.planning.presets import preset_for

OPTIONS: tuple[tuple[str, str, type, str], ...] = (
    ("epochs", "epochs", int, "How often the run goes through all images."),
    ("repeats", "repeats", int, "How often an epoch sees each image."),
    ("batch", "batch", int, "Images in a step."),
    ("resolution", "resolution", int, "Side of the square that an image fills, in pixels."),
    ("rank", "rank", int, "Size of the LoRA."),
    ("alpha", "alpha", float, "What is learnt counts alpha / rank times; half the rank where it isn't set."),
    ("learning-rate", "learning_rate", float, "How far a step goes."),
    ("seed", "seed", int, "Of noise and order: the same seed takes the same steps."),
    ("price", "price_per_hour", float, "What an hour of this machine costs."),
    ("budget", "budget", float, "End with the epoch after which it would cost more."),
    ("budget-hours", "budget_hours", float, "End with the epoch after which it would take longer."),
)
"""Training settings that have an option of their own: its name, the setting's, its kind, what it says; ``--set``
reaches all."""


def run_options(command: Any) -> Any:
    """Adds the options to a command."""
    any_setting = "Any setting, such as training.ema_decay=0.99."
    command = click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help=any_setting)(command)
    command = click.option(
        "--memory",
        type=click.FloatRange(min=0, min_open=True),
        metavar="GB",
        help="The preset for a card of so much memory.",
    )(command)
    for name, setting, kind, words in reversed(OPTIONS):
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
        found["training.preset"] = preset_for(memory).gb
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
