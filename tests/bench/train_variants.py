"""Times ways to take a training step: reads one as a line of JSON, answers with one line. ``train_gpu`` starts it.

``python -m tests.bench.train_variants [--tiny]``: the U-Net has SDXL's exact shapes and random weights, made on the
card itself; ``--tiny`` takes the tiny base, on the processor if need be. Ours are taken by the very learner of a run.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import DDPMScheduler
from torch.nn.functional import mse_loss

import engine.training.step.compile
from engine.models.device import Device, choose_device
from engine.models.locate import find_base
from engine.models.sdxl.loaded import TARGETS, SdxlBase
from engine.models.sdxl.loading import load_pipeline
from engine.settings import BaseSettings, TrainingSettings
from engine.training.data.tensors import TrainingData
from engine.training.learner import Learner
from engine.training.loop import train_step
from engine.training.runs.async_metrics import Reading
from engine.training.runs.progress import AHEAD
from engine.training.step.memory_fallback import fitting_for
from engine.training.step.randomness import step_randomness
from tools.make_base.sdxl_parts import untrained_parts
from tools.make_base.tiny_parts import BETAS

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
    unet = _unet(device, tiny)
    _clear()
    told: list[str] = []
    began = time.perf_counter()
    make = _plain if asked["way"] == "peft" else _ours
    step = make(unet, asked, device, told)
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


def _ours(unet: Any, asked: dict[str, Any], device: Device, told: list[str]) -> Step:
    settings = TrainingSettings(
        rank=RANK,
        batch=asked["batch"],
        gradient_checkpointing=asked["checkpointing"],
        compile="on" if "compiled" in asked["way"] else "off",
        graph="on" if "graphed" in asked["way"] else "off",
    )
    learner = Learner(
        _base(unet),
        settings,
        fitting_for(settings, 1024, None),
        device,
        tell=lambda event: told.append(getattr(event, "message", "")),
    )
    data = _data(unet, device)
    steps = _numbers()

    def step() -> Reading:
        number = next(steps)
        images = [(number * settings.batch + place) % len(data) for place in range(settings.batch)]
        randomness = step_randomness(settings, number, settings.batch, data.shape(0), learner.noise.draw)
        return Reading(*train_step(learner, data, images, randomness, 1e-4))

    return step


def _plain(unet: Any, asked: dict[str, Any], device: Device, told: list[str]) -> Step:
    """As diffusers' examples write it: LoRA in float32 under autocast, AdamW, the loss read; everything encoded."""
    from peft import LoraConfig

    unet.to(device.name).requires_grad_(False)
    unet.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, init_lora_weights="gaussian", target_modules=list(TARGETS)))
    parameters = [each for each in unet.parameters() if each.requires_grad]
    for each in parameters:
        each.data = each.data.float()
    if asked["checkpointing"]:
        unet.enable_gradient_checkpointing()
    unet.train()
    optimizer, schedule, data = torch.optim.AdamW(parameters, lr=1e-4), _schedule(), _data(unet, device)
    assert data.hidden is not None
    assert data.pooled is not None
    latents, hidden, pooled = data.latents[0], data.hidden, data.pooled
    half = device.dtype is not torch.float32

    def step() -> None:
        some = torch.randint(len(latents), (asked["batch"],), device=device.name)
        text = some % len(hidden)
        noise = torch.randn_like(latents[some])
        timesteps = torch.randint(0, 1000, (asked["batch"],), device=device.name)
        noisy = schedule.add_noise(latents[some], noise, timesteps)
        more = {"time_ids": data.time_ids[some], "text_embeds": pooled[text]}
        with torch.autocast(device.name, device.dtype, enabled=half):
            predicted = unet(noisy, timesteps, hidden[text], added_cond_kwargs=more, return_dict=False)[0]
            loss = mse_loss(predicted.float(), noise.float())
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()

    return step


def _unet(device: Device, tiny: bool) -> Any:
    if tiny:
        return load_pipeline(find_base(BaseSettings(model="demo")), device.dtype).unet
    unet: Any = untrained_parts()["unet"].to(device.dtype).to_empty(device=device.name)
    for name, each in unet.named_parameters():
        # As `tools.make_base --size sdxl` draws them: norms keep what they get, biases add nothing.
        if each.dim() > 1:
            torch.nn.init.normal_(each, std=0.02)
        else:
            torch.nn.init.constant_(each, 0.0 if name.endswith("bias") else 1.0)
    return unet


def _data(unet: Any, device: Device) -> TrainingData:
    config, side = unet.config, unet.config.sample_size
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    count, captions = 8, 3
    return TrainingData(
        latents=(torch.randn(count, 4, side, side),),
        masks=(),
        bucket=torch.zeros(count, dtype=torch.int64),
        row=torch.arange(count),
        repeats=torch.ones(count, dtype=torch.int64),
        regularisation=torch.zeros(count, dtype=torch.bool),
        held_out=torch.zeros(count, dtype=torch.bool),
        captions=torch.zeros(count, 1, dtype=torch.int64),
        image={"time_ids": torch.tensor([[1024.0, 1024, 0, 0, 1024, 1024]] * count)},
        text={
            "prompt_embeds": torch.randn(captions, 77, config.cross_attention_dim),
            "pooled_prompt_embeds": torch.randn(captions, pooled),
        },
        tokens=None,
    ).to(device.name, device.dtype)


def _base(unet: Any) -> SdxlBase:
    """A U-Net alone as a base model, with a VAE of four stages that nothing asks for more."""
    vae = SimpleNamespace(config={"block_out_channels": (1, 1, 1, 1)})
    pipeline = SimpleNamespace(unet=unet, vae=vae, vae_scale_factor=8, scheduler=_schedule())
    return SdxlBase(pipeline)


def _schedule() -> Any:
    first, last = BETAS
    return DDPMScheduler(beta_start=first, beta_end=last, beta_schedule="scaled_linear")


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
