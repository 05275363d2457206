"""Seconds a step against the loop of diffusers' own script, on each tiny base, and the time outside of the model.

The script's loop encodes pictures and prompts in each step, then takes it (``training/scripts.py``). A second one has
them encoded beforehand, which leaves the denoiser's own work. All three take turns in one process: same model, same
modules, same batch.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from engine.events import Step
from engine.jobs.folder import JobFolder, JobKind, Order
from engine.jobs.worker import Context
from engine.models.locate import find_base
from engine.settings import BaseSettings
from engine.training.loading import load
from engine.training.loop import take_step
from engine.training.step.distributed import SingleProcess
from engine.training.trainer import Trainer
from tests.bench.result import Result
from tests.bench.training.families import FAMILIES
from tests.bench.training.scripts import RATE, BenchFamily, PlainLoop
from tests.support.small_project import small_project
from tests.tui.pseudo_terminal import REPOSITORY

BATCH, RANK = 4, 16
ROUNDS, STEPS = 12, 4
"""Each takes so many steps, so many times in turn; the first round warms up."""

Taking = Callable[[], object]
"""What takes one step."""


def results() -> Iterator[Result]:
    """Each family, and how soon a run begins."""
    for family in FAMILIES.values():
        yield from _family_results(family)
    yield Result(
        "train: the first step of a small run", _first_step(), "s", note="after the command; five runs, median"
    )


def _family_results(family: BenchFamily) -> Iterator[Result]:
    """The three loops, and what ours spends besides the model."""
    with tempfile.TemporaryDirectory() as name:
        project = small_project(
            Path(name) / "james",
            images=16,
            base__model=family.tiny,
            training__batch_size=BATCH,
            training__rank=RANK,
            training__repeats=50,
            training__learning_rate=RATE,
        )
        trainer = _ours(project.runs / "bench", project.root)
        images = sorted(project.dataset.glob("*/*.png"))
        captions = [image.with_suffix(".txt").read_text().strip() for image in images]
        example, cached = (ExampleLoop(family, images, captions, encoded) for encoded in (False, True))
        ours, whole, bare = _in_turn([partial(take_step, trainer), example.step, cached.step])
        share = _outside(trainer)
        trainer.writer.flush()
        trainer.writer.close()
    title = f"train, {family.name}"
    yield Result(f"{title}: a step", ours * 1000, "ms", f"the script's loop: {whole * 1000:.0f}", whole / ours)
    note = "pictures and prompts encoded beforehand, as we do"
    yield Result(f"{title}: a step", ours * 1000, "ms", f"its denoiser alone: {bare * 1000:.0f}", bare / ours, note)
    yield Result(f"{title}: outside of forward and backward", share * 100, "%", "at most 5", 0.05 / share)


def _first_step() -> float:
    """Seconds from ``limner train`` to the first step that the log tells of, on the tiny base."""
    # As pip leaves it where it installs: compiled once, not at each start.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    taken = []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as name:
            project = small_project(Path(name) / "james")
            began = time.time()
            command = [sys.executable, "-m", "tui.cli", "-C", str(project.root), "train", "--wait"]
            subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY, env=environment)
            taken.append(next(each.t for each in project.run().entries() if isinstance(each.event, Step)) - began)
    return statistics.median(taken)


def gpu_results(tiny: bool) -> Iterator[Result]:
    """Ways to take a step on a card, and a whole LoRA; ``tiny``: the same code on the tiny base, wherever this runs."""
    if not tiny and not torch.cuda.is_available():
        raise SystemExit("train --gpu: there is no CUDA card here; try its code with: --gpu --tiny")
    from tests.bench.training.gpu import measure

    yield from measure(tiny)


class ExampleLoop:
    """The script's loop over the dataset.

    Args:
        family: whose script.
        images: the pictures.
        captions: theirs.
        encoded: whether both were encoded beforehand.
    """

    def __init__(self, family: BenchFamily, images: list[Path], captions: list[str], encoded: bool) -> None:
        torch.manual_seed(0)
        script = family.script(find_base(BaseSettings(model=family.tiny)).source)
        self._loop, self._script, self._captions = PlainLoop(script, RANK), script, captions
        pixels = [np.array(Image.open(each).convert("RGB").resize((64, 64)), dtype=np.float32) for each in images]
        self._pixels = torch.stack([torch.from_numpy(each / 127.5 - 1).permute(2, 0, 1) for each in pixels])
        self._kept = (script.latents(self._pixels), script.texts(captions)) if encoded else None

    def step(self) -> None:
        """One step."""
        some = torch.randint(len(self._captions), (BATCH,))
        if self._kept is None:
            latents = self._script.latents(self._pixels[some])
            texts = self._script.texts([self._captions[each] for each in some.tolist()])
        else:
            latents, texts = self._kept[0][some], tuple(each[some] for each in self._kept[1])
        self._loop.step(latents, texts)


def _ours(folder: Path, project: Path) -> Trainer:
    """A run that was begun, in this process."""
    from engine.project import Project

    job = JobFolder(folder)
    job.write_order(Order(JobKind.TRAIN, project, {"settings": Project(project).settings.model_dump(mode="json")}))
    context = Context(job)
    loaded = load(context, SingleProcess())
    assert loaded is not None
    trainer = Trainer(context, replace(loaded, renderer=None))
    trainer.begin()
    return trainer


def _in_turn(steps: list[Taking]) -> list[float]:
    """The median seconds of a step of each; they take turns, so that load falls on all of them."""
    taken: list[list[float]] = [[] for _ in steps]
    for number in range(ROUNDS + 1):
        for each, times in zip(steps, taken, strict=True):
            for _ in range(STEPS):
                began = time.perf_counter()
                each()
                if number:
                    times.append(time.perf_counter() - began)
    return [statistics.median(times) for times in taken]


def _outside(trainer: Trainer) -> float:
    """The share of our steps that is neither the denoiser's forward pass nor the backward pass, by CPU time.

    To the backward pass belongs that autograd takes its graph down afterwards, which ends where we fetch the gradients.
    """
    inside = began_back = 0.0
    weights, denoiser = trainer.learner.weights, trainer.learner.denoiser
    forward, backward, collect = denoiser.forward, torch.Tensor.backward, weights.collect_grads

    def timed_forward(*args: Any, **more: Any) -> Any:
        nonlocal inside
        began = time.process_time()
        found = forward(*args, **more)
        inside += time.process_time() - began
        return found

    def timed_backward(*args: Any, **more: Any) -> None:
        nonlocal began_back
        began_back = time.process_time()
        backward(*args, **more)  # type: ignore[no-untyped-call]

    def timed_collect(whole: bool) -> None:
        nonlocal inside
        inside += time.process_time() - began_back
        collect(whole)

    denoiser.forward, torch.Tensor.backward = timed_forward, timed_backward  # type: ignore[method-assign]
    weights.collect_grads = timed_collect  # type: ignore[method-assign]
    began = time.process_time()
    try:
        for _ in range(ROUNDS * STEPS):
            take_step(trainer)
        whole = time.process_time() - began
    finally:
        denoiser.forward, torch.Tensor.backward = forward, backward  # type: ignore[method-assign]
        weights.collect_grads = collect  # type: ignore[method-assign]
    return 1 - inside / whole
