"""Painting: pictures a minute, what a LoRA's swap takes, memory; beside diffusers' pipeline called plainly.

Without flags on the tiny base, on the processor. With ``--gpu`` on a base of SDXL's full size with random weights,
which is made once (6.9 GB in ``.bench/sdxl-base``); ``--gpu --tiny`` runs that very code on the tiny base.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from engine.lora.file import LoraPair, write_lora
from engine.lora.metadata import LoraFacts
from engine.lora.module_names import Part
from engine.models.locate import BaseKind, BaseModel, find_base
from engine.pictures.orders.picture import LoraWeight
from engine.pictures.painting.memory import most_together
from engine.pictures.painting.pipeline import Painting
from engine.pictures.painting.request import GenerationParams, PromptSeed
from engine.settings import DEMO_BASE, BaseSettings
from engine.settings.samplers import Sampler
from tests.bench.result import Result

PROMPT = "photo of jx265 man, smiling, blue background, red shirt"
NEGATIVE = "blurry"
STYLE = GenerationParams(30, 6.0, Sampler.DPMPP_2M, NEGATIVE)
SDXL = Path(".bench/sdxl-base")
RANK = 32
TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")


def results() -> Iterator[Result]:
    """The tiny base on the processor."""
    yield from _Bench(find_base(BaseSettings(model=DEMO_BASE)), "tiny base", rounds=5).results()


def gpu_results(tiny: bool) -> Iterator[Result]:
    """The full-size base on the card; ``tiny``: the same code on the tiny base, wherever this runs."""
    if tiny:
        yield from _Bench(find_base(BaseSettings(model=DEMO_BASE)), "tiny base", rounds=1).results()
        return
    if not torch.cuda.is_available():
        raise SystemExit("paint --gpu: there is no CUDA card here; try its code with: --gpu --tiny")
    if not (SDXL / "model_index.json").exists():
        from tools.make_base.sdxl_parts import make_sdxl

        make_sdxl(SDXL)
    yield from _Bench(BaseModel(BaseKind.FOLDER, str(SDXL.resolve())), "full-size base", rounds=3).results()


@dataclass
class _Bench:
    base: BaseModel
    name: str
    rounds: int

    def results(self) -> Iterator[Result]:
        """Ours first, then diffusers' alone in the memory; a variant that fails is a line that says why."""
        with tempfile.TemporaryDirectory() as folder:
            yield from self._attempt("ours", lambda: self._ours(Path(folder)))
            _clear()
            yield from self._attempt("diffusers", lambda: self._plain(Path(folder)))
            yield from self._compared()

    def __post_init__(self) -> None:
        self._found: dict[str, float] = {}

    def _attempt(self, name: str, work: Callable[[], Iterator[Result]]) -> Iterator[Result]:
        try:
            yield from work()
        except Exception as error:
            yield Result(f"paint, {self.name}: {name}", None, "", note=f"{type(error).__name__}: {error}"[:200])

    def _variant(self, name: str, unit: str, measure: Callable[[], float]) -> Result:
        """One figure; what fails is told and the next is measured."""
        try:
            value = measure()
        except Exception as error:
            _clear()
            return Result(f"paint, {self.name}: {name}", None, unit, note=f"{type(error).__name__}: {error}"[:200])
        self._found[name] = value
        return Result(f"paint, {self.name}: {name}", value, unit)

    def _ours(self, folder: Path) -> Iterator[Result]:
        holder: list[Painting] = []

        def load() -> float:
            began = time.perf_counter()
            holder.append(Painting(self.base))
            return time.perf_counter() - began

        yield self._variant("loading", "s", load)
        painting = holder[0]
        size = painting.native
        batch = max(2, most_together(painting.device.name, size * size, None))
        one, other = (_random_lora(painting, folder / f"{name}.safetensors") for name in ("one", "other"))

        def paint(count: int, params: GenerationParams = STYLE) -> Callable[[], object]:
            subjects = [PromptSeed(PROMPT, seed, NEGATIVE) for seed in range(count)]
            return lambda: painting.paint_together(subjects, params)

        dressed = replace(STYLE, others=(LoraWeight(one, 0.8, 0.8),))
        both = replace(STYLE, others=(LoraWeight(one, 0.8, 0.8), LoraWeight(other, 0.3, 0.3)))
        yield self._variant("one at a time", "pictures/min", lambda: self._pace(paint(1), 1))
        yield self._variant("together", "pictures/min", lambda: self._pace(paint(batch), batch))
        yield from self._memory("peak memory")
        yield self._variant("with a LoRA", "pictures/min", lambda: self._pace(paint(1, dressed), 1))
        yield self._variant("with two LoRAs", "pictures/min", lambda: self._pace(paint(1, both), 1))
        yield self._variant("a LoRA seen first", "ms", lambda: self._first(painting, folder, one))
        yield self._variant("a LoRA swapped", "ms", lambda: self._swap(painting, one, other))
        painting.compile()
        yield self._variant("with a LoRA, compiled", "pictures/min", lambda: self._pace(paint(1, dressed), 1))

    def _memory(self, name: str) -> Iterator[Result]:
        """The most that was taken of the card; a processor doesn't tell."""
        if torch.cuda.is_available():
            yield self._variant(name, "GB", lambda: torch.cuda.max_memory_allocated() / 1e9)

    def _pace(self, paint: Callable[[], object], pictures: int) -> float:
        paint()
        _synchronise()
        began = time.perf_counter()
        for _ in range(self.rounds):
            paint()
        _synchronise()
        return 60 * pictures * self.rounds / (time.perf_counter() - began)

    def _first(self, painting: Painting, folder: Path, like: Path) -> float:
        """A file that was never read, of another's shape, as the next checkpoint of a run is."""
        fresh = folder / "fresh.safetensors"
        fresh.write_bytes(like.read_bytes())
        painting._lora_cache.set_loras(())
        return _milliseconds(lambda: painting._lora_cache.set_loras((LoraWeight(fresh, 0.8, 0.8),)))

    def _swap(self, painting: Painting, one: Path, other: Path) -> float:
        taken = []
        for file in (one, other) * (self.rounds + 1):
            taken.append(_milliseconds(partial(painting._lora_cache.set_loras, (LoraWeight(file, 0.8, 0.8),))))
        return sorted(taken[2:])[len(taken[2:]) // 2]

    def _plain(self, folder: Path) -> Iterator[Result]:
        """diffusers' own pipeline as its documentation calls it, in the card's half precision."""
        from diffusers import DPMSolverMultistepScheduler, StableDiffusionXLPipeline

        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        pipeline: Any = StableDiffusionXLPipeline.from_pretrained(
            self.base.source, torch_dtype=dtype, use_safetensors=True, add_watermarker=False
        ).to(device)
        pipeline.set_progress_bar_config(disable=True)
        pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config, use_karras_sigmas=True)
        size = int(pipeline.unet.config.sample_size) * int(pipeline.vae_scale_factor)
        batch = max(2, most_together(device, size * size, None))

        def paint(count: int) -> Callable[[], object]:
            return lambda: pipeline(
                [PROMPT] * count,
                negative_prompt=[NEGATIVE] * count,
                num_inference_steps=STYLE.steps,
                guidance_scale=STYLE.guidance,
                generator=[torch.Generator().manual_seed(seed) for seed in range(count)],
            )

        def swap() -> float:
            pipeline.load_lora_weights(str(folder / "one.safetensors"))

            def change() -> None:
                pipeline.unload_lora_weights()
                pipeline.load_lora_weights(str(folder / "other.safetensors"))

            return _milliseconds(change)

        yield self._variant("diffusers, one at a time", "pictures/min", lambda: self._pace(paint(1), 1))
        yield self._variant("diffusers, together", "pictures/min", lambda: self._pace(paint(batch), batch))
        yield from self._memory("diffusers, peak memory")
        yield self._variant("diffusers, a LoRA swapped", "ms", swap)

    def _compared(self) -> Iterator[Result]:
        """Ours against diffusers', and the swap against a picture."""
        found = self._found
        for name, more in (("one at a time", True), ("together", True), ("a LoRA swapped", False)):
            ours, plain = found.get(name), found.get(f"diffusers, {name}")
            if ours and plain:
                ratio = ours / plain if more else plain / ours
                unit = "pictures/min" if more else "ms"
                yield Result(f"paint, {self.name}: {name}", ours, unit, "diffusers called plainly", ratio)
        if "a LoRA swapped" in found and "with a LoRA" in found:
            share = found["a LoRA swapped"] / (60_000 / found["with a LoRA"]) * 100
            yield Result(f"paint, {self.name}: a swap's share of a picture", share, "%", "5 %", 5 / share)


def _random_lora(painting: Painting, path: Path) -> Path:
    """A LoRA on all of the U-Net's transformers, as a run of ours writes it."""
    unet = painting._model.denoiser
    pairs: dict[tuple[Part, str], LoraPair] = {}
    for name, module in unet.named_modules():
        if isinstance(module, torch.nn.Linear) and "attentions" in name and name.endswith(TARGETS):
            down, up = torch.randn(RANK, module.in_features) * 0.01, torch.randn(module.out_features, RANK) * 0.01
            pairs[Part.UNET, name] = LoraPair(down, up, RANK / 2)
    facts = LoraFacts("jx265", RANK, RANK / 2, "jx265", painting.native)
    write_lora(path, pairs, facts, unet.config.layers_per_block)
    return path


def _milliseconds(work: Callable[[], object]) -> float:
    _synchronise()
    began = time.perf_counter()
    work()
    _synchronise()
    return (time.perf_counter() - began) * 1000


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _clear() -> None:
    """Gives memory back and begins to count its peak anew."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
