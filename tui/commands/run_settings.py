"""Options that change settings for one run, the same for every command that plans or starts one."""

from __future__ import annotations

import tomllib
from typing import Any

import click

from engine.training.presets import preset_for

OPTIONS: dict[str, type] = {
    "epochs": int,
    "repeats": int,
    "batch": int,
    "resolution": int,
    "rank": int,
    "alpha": float,
    "learning_rate": float,
    "seed": int,
    "budget": float,
    "budget_hours": float,
}
"""Training settings that have an option of their own; ``--set`` reaches all."""


def run_options(command: Any) -> Any:
    """Adds the options to a command."""
    command = click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any setting, for this run.")(
        command
    )
    command = click.option(
        "--memory",
        type=click.FloatRange(min=0, min_open=True),
        metavar="GB",
        help="The preset for a card of so much memory, for this run.",
    )(command)
    for name, kind in reversed(OPTIONS.items()):
        command = click.option(f"--{name.replace('_', '-')}", type=kind, help=f"training.{name}, for this run.")(
            command
        )
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
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
