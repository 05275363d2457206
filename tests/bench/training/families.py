"""The families that are measured."""

from __future__ import annotations

from tests.bench.training.klein import KLEIN
from tests.bench.training.scripts import BenchFamily
from tests.bench.training.sdxl import SDXL

FAMILIES: dict[str, BenchFamily] = {each.name: each for each in (SDXL, KLEIN)}
