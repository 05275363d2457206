"""How like the person a run's samples are, told as they are painted. Nothing is loaded here before it is needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from engine.errors import LimnerError

JUDGE = "engine.pictures.likeness.judge:judge_of_samples"
"""Named as text: training comes before pictures, and a run that paints nothing loads nothing of it."""

Judging = Callable[[Image.Image], float | None]
"""The likeness of a picture, 0 to 100; None: not scorable."""


def judge_samples(project: Path, tell: Callable[[str], None]) -> Judging | None:
    """What judges a run's samples; None, which is told, where nothing can.

    Args:
        project: the project's folder.
        tell: gets why.
    """
    module, function = JUDGE.split(":")
    try:
        judging: Judging = getattr(importlib.import_module(module), function)(project)
    except LimnerError as error:
        tell(f"the samples' likeness was not measured: {error.what}")
        return None
    return judging
