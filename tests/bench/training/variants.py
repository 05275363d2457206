"""Times ways to take a training step: reads one as a line of JSON, answers with one line. ``gpu.py`` starts it.

``python -m tests.bench.training.variants [--tiny]``: the denoiser has a published model's exact shapes and random
weights, made on the card itself; ``--tiny`` takes the tiny base, on the processor if need be. Ours are taken by the
very learner of a run.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import torch

import engine.training.step.compile
from engine.models.device import Device, choose_device
from engine.models.loading import load_base
from engine.models.locate import find_base
from engine.settings import BaseSettings, TrainingSettings
from engine.training.learner import Learner
from engine.training.loop import train_step
from engine.training.runs.async_metrics import Reading
from engine.training.runs.progress import AHEAD
from engine.training.step.memory_fallback import fitting_for
from engine.training.step.randomness import step_randomness
from tests.bench.training.families import FAMILIES
from tests.bench.training.scripts import BenchFamily, PlainLoop

RANK = 32
WARM = 4
"""Steps before the clock runs: kernels are chosen in the first, a graph is captured in the second."""
LEAST, SECONDS = 5, 5.0
"""Steps that are timed at the least, and for how long."""

Step = Callable[[], Reading | None]


def main(tiny: bool) -> None:
    """Answers until there is nothing more to do."""
    device = choose_device()
    if tiny:
        # It compiles in seconds, where a CPU's compiler takes minutes; nothing here is timed.
        engine.training.step.compile.BACKEND = "aot_eager"
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = _about(device, tiny) if asked["way"] == "about" else _measure(asked, device, tiny)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
        _clear()
        print(json.dumps(answer), flush=True)


def _about(device: Device, tiny: bool) -> dict[str, Any]:
    """The machine, and its rate: a large product of matrices, as torch does it."""
    side = 512 if tiny else 8192
    one, other = (torch.randn(side, side, device=device.name).to(device.dtype) for _ in range(2))
    for _ in range(3):
        one @ other
    _synchronise()
    began, times = time.perf_counter(), 5 if tiny else 50
    for _ in range(times):
        one @ other
    _synchronise()
    rate = 2 * side**3 * times / (time.perf_counter() - began) / 1e12
    card = torch.cuda.get_device_name() if device.on_gpu else "no card"
    return {"card": card, "torch": torch.__version__, "cuda": torch.version.cuda, "tflops": rate}


def _measure(asked: dict[str, Any], device: Device, tiny: bool) -> dict[str, Any]:
    family = FAMILIES[asked["family"]]
    denoiser = _denoiser(family, device, tiny)
    _clear()
    told: list[str] = []
    began = time.perf_counter()
    make = _plain if asked["way"] == "peft" else _ours
    step = make(family, denoiser, asked, device, told)
    for _ in range(WARM):
        step()
    _synchronise()
    ready = time.perf_counter() - began
    steps, seconds = _timed(step, 0.2 if tiny else SECONDS)
    memory = device.memory_gb()
    return {"images_per_s": steps * asked["batch"] / seconds, "memory_gb": memory, "ready_s": ready, "told": told}


def _timed(step: Step, limit: float) -> tuple[int, float]:
    """How many steps were taken in how many seconds; as in a run, two may be queued."""
    queued: deque[Reading] = deque()
    began, steps = time.perf_counter(), 0
    while steps < LEAST or time.perf_counter() - began < limit:
        reading = step()
        if reading is not None:
            queued.append(reading)
        if len(queued) > AHEAD:
            queued.popleft().wait()
        steps += 1
    _synchronise()
    return steps, time.perf_counter() - began


def _ours(family: BenchFamily, denoiser: Any, asked: dict[str, Any], device: Device, told: list[str]) -> Step:
    settings = TrainingSettings(
        rank=RANK,
        batch_size=asked["batch"],
        gradient_checkpointing=asked["checkpointing"],
        compile="on" if "compiled" in asked["way"] else "off",
        graph="on" if "graphed" in asked["way"] else "off",
    )
    learner = Learner(
        family.base(denoiser),
        settings,
        fitting_for(settings, asked["side"] or 64, None),
        device,
        tell=lambda event: told.append(getattr(event, "message", "")),
    )
    data = family.data(denoiser, asked["side"]).to(device.name, device.dtype)
    steps = _numbers()

    def step() -> Reading:
        number = next(steps)
        images = [(number * settings.batch_size + place) % len(data) for place in range(settings.batch_size)]
        randomness = step_randomness(settings, number, settings.batch_size, data.shape(0), learner.noise.draw)
        return Reading(*train_step(learner, data, images, randomness, 1e-4))

    return step


def _plain(family: BenchFamily, denoiser: Any, asked: dict[str, Any], device: Device, told: list[str]) -> Step:
    """As diffusers' scripts write it: LoRA in float32 under autocast, AdamW, the loss read; everything encoded."""
    script = family.bare_script(denoiser.to(device.name))
    half = (device.name, device.dtype) if device.dtype is not torch.float32 else None
    loop = PlainLoop(script, RANK, asked["checkpointing"], half)
    data = family.data(denoiser, asked["side"]).to(device.name, device.dtype)
    latents, texts = data.latents[0], tuple(data.text.values())

    def step() -> None:
        some = torch.randint(len(latents), (asked["batch"],), device=device.name)
        loop.step(latents[some], tuple(each[some % len(each)] for each in texts))

    return step


def _denoiser(family: BenchFamily, device: Device, tiny: bool) -> Any:
    if tiny:
        return load_base(find_base(BaseSettings(model=family.tiny)), device.dtype).denoiser
    return family.denoiser(device)


def _numbers() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _clear() -> None:
    gc.collect()
    if "torch._dynamo" in sys.modules:
        torch._dynamo.reset()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


if __name__ == "__main__":
    main("--tiny" in sys.argv)
