"""What other installed packages add to Limner, by entry points: photo libraries, captioners, families of base models.

A package names an object of its own in its ``pyproject.toml``; Limner loads it where its kind is listed or asked for:

    [project.entry-points."limner.captioners"]
    my-captioner = "my_package:CAPTIONER"

Source: https://packaging.python.org/en/latest/specifications/entry-points/
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from engine.errors import LimnerError

Plugin = TypeVar("Plugin")


def plugins(group: str, kind: type[Plugin]) -> list[Plugin]:
    """What installed packages add to a group, by name.

    Args:
        group: ``limner.captioners``, ``limner.libraries`` or ``limner.families``.
        kind: what each entry has to be an instance of.

    Raises:
        LimnerError: a package's entry can't be loaded, or is of another kind.
    """
    return [_loaded(entry, kind) for entry in sorted(entry_points(group=group), key=lambda each: each.name)]


def plugin_names(group: str) -> set[str]:
    """The names of a group's entries; nothing is loaded."""
    return {entry.name for entry in entry_points(group=group)}


def _loaded(entry: EntryPoint, kind: type[Plugin]) -> Plugin:
    package = entry.dist.name if entry.dist is not None else entry.module
    try:
        found = entry.load()
    # A package of somebody else may raise anything while it is imported.
    except Exception as error:
        what = f"the plugin {package} can't be loaded ({type(error).__name__}: {error})"
        raise LimnerError(what, f"update it, or: pip uninstall {package}") from error
    if not isinstance(found, kind):
        what = f"the plugin {package} gives {entry.value} as {kind.__name__}, which it is not"
        raise LimnerError(what, f"update it, or: pip uninstall {package}")
    return found
