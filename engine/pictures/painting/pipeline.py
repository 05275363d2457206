"""Painting with a base model and LoRAs on it. Needs torch.

The model is loaded once; LoRAs are put on and taken off. All chance of a picture, that of each step too, comes from its
own seed on the CPU, so that the same seed gives the same picture on every device, alone or among others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL import Image
from torch.nn import functional as F  # noqa: N812

from engine.errors import PictureError
from engine.models.device import choose_device
from engine.models.loaded import LoadedBase
from engine.models.loading import load_base
from engine.models.locate import BaseModel
from engine.models.prediction import noise_of_scheduler
from engine.pictures.orders.picture import Hires, LoraWeight, Upscaler
from engine.pictures.painting.lora_cache import LeftOut, LoraCache
from engine.pictures.painting.memory import Tell, fits_whole, free_memory, keep_one_part_on_the_card, ran_out
from engine.pictures.painting.preview import Looking, Preview
from engine.pictures.painting.request import Callbacks, GenerationParams, PromptSeed, Stopped
from engine.pictures.painting.samplers import scheduler_maker
from engine.pictures.painting.text_encoding import Conditioning, TextBatch, TextEncoding
from engine.pictures.painting.vae import Vae, fitted, nearest_size
from engine.training.step.compile import CompiledBlocks

__all__ = ["Callbacks", "GenerationParams", "LoraWeight", "Painting", "PromptSeed", "Stopped"]

NO_CALLBACKS = Callbacks()

MOST_TEXTS = 64
"""Encoded texts that are kept: a prompt over many seeds is read once."""


class Painting:
    """A base model, loaded and ready to paint.

    Args:
        base: the base model.
        half_vae: whether to decode in the card's half precision first.
        compiled: whether the denoiser's blocks are compiled, where that works.
        tell: gets what was changed so that the work fits into memory, and why.
    """

    def __init__(
        self, base: BaseModel, *, half_vae: bool = False, compiled: bool = False, tell: Tell = lambda *_: None
    ) -> None:
        self.base = base
        self.device = choose_device()
        self._tell = tell
        self._hooks: list[Any] = []
        self._model = self._placed(load_base(base, self.device.dtype))
        self._from_noise, self._from_picture = self._model.text_to_image(), self._model.image_to_image()
        self._scheduler = scheduler_maker(self._model)
        self._text = TextEncoding(self._model.prompt_encoder(self.device.name))
        self._texts: dict[tuple[object, ...], Conditioning] = {}
        self._lora_cache = LoraCache(self._model, base.title)
        half = self.device.dtype if half_vae and self.device.dtype != torch.float32 else None
        self._vae = Vae(self._model, self.device.name, half, tell)
        self._preview: Preview | None = None
        self._most = 1_000_000
        """Pictures together that were found to fit."""
        self._compiled: CompiledBlocks | None = None
        if compiled:
            self.compile()

    @property
    def native(self) -> int:
        """Pixels a side that the base model was made for."""
        return self._model.shape.resolution

    @property
    def grain(self) -> int:
        """What the sides of a picture are multiples of, in pixels."""
        return self._model.latent_scale * self._model.shape.patch

    @property
    def said(self) -> dict[str, str]:
        """What a picture's parameters tell of what the base model predicts."""
        return noise_of_scheduler(self._model.noise_config, self.base.source, flows=True).pairs()

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What of the LoRAs that are on has no place in the base model."""
        return self._lora_cache.left_out

    def size(self, params: GenerationParams) -> tuple[int, int]:
        """Width and height in pixels, of the first pass.

        Raises:
            PictureError: a size that the model's latents can't have.
        """
        size = (params.width or self.native, params.height or self.native)
        if size[0] % self.grain or size[1] % self.grain:
            raise PictureError(
                f"{size[0]}x{size[1]} is invalid", f"this base model needs multiples of {self.grain} pixels"
            )
        return size

    def sized(self, params: GenerationParams, subject: PromptSeed) -> GenerationParams:
        """The parameters with width and height filled in: the source's shape, or what the base model was made for.

        Raises:
            PictureError: an invalid size, or a source that can't be read.
        """
        width, height = params.width or self.native, params.height or self.native
        if params.denoise is not None and (params.width is None or params.height is None):
            like = nearest_size(subject.open_source().size, self.native, self.grain)
            width, height = params.width or like[0], params.height or like[1]
        sized = replace(params, width=width, height=height)
        self.size(sized)
        return sized

    def compile(self) -> None:
        """Has the denoiser's blocks compiled when they are first used, which takes a minute or so, and again for
        another size, number of pictures together or strength of a LoRA. What fails then is done without, and told."""
        try:
            self._compiled = self._compiled or CompiledBlocks(self._model.denoiser)
        except Exception as error:
            # torch and diffusers raise many kinds.
            self._tell("pictures are painted without compiling", _words(error))

    def _give_compiling_up(self, error: Exception) -> bool:
        """Paints without it from now on. Whether it had been compiled."""
        if self._compiled is None:
            return False
        self._compiled.undo()
        self._compiled = None
        self._tell("pictures are painted without compiling", _words(error))
        return True

    def paint(
        self,
        prompt: str,
        seeds: Sequence[int],
        params: GenerationParams,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> list[Image.Image]:
        """One picture a seed. Raises what ``paint_together`` raises."""
        subjects = [PromptSeed(prompt, seed, params.negative) for seed in seeds]
        return self.paint_together(subjects, params, Callbacks(should_stop))

    def paint_together(
        self, subjects: Sequence[PromptSeed], params: GenerationParams, callbacks: Callbacks = NO_CALLBACKS
    ) -> list[Image.Image]:
        """One picture a subject, in their order; all at once where that is possible.

        Raises:
            LoraFileError: a LoRA is not there or does not fit the base model.
            PictureError: the size is invalid, a source can't be read, or there is not enough memory for one picture.
            PromptError: nothing can be painted from a prompt.
            Stopped: it was told to stop.
        """
        params = self.sized(params, subjects[0])
        self._lora_cache.set_loras(params.loras())
        with torch.inference_mode():
            texts = [self._read(subject, params) for subject in subjects]
        # Shorter texts could be filled up with nothing, but then a picture would depend on its neighbours.
        by_length: dict[int, list[int]] = {}
        for at, text in enumerate(texts):
            by_length.setdefault(text.length, []).append(at)
        pictures: dict[int, Image.Image] = {}
        for group in by_length.values():
            waiting = list(group)
            while waiting:
                some, waiting = waiting[: self._most], waiting[self._most :]
                painted = self._paint_what_fits(
                    [subjects[at] for at in some], [texts[at] for at in some], params, callbacks
                )
                pictures.update(zip(some, painted, strict=False))
                waiting = [*some[len(painted) :], *waiting]
        return [pictures[at] for at in range(len(subjects))]

    def _paint_what_fits(
        self, subjects: list[PromptSeed], texts: list[Conditioning], params: GenerationParams, callbacks: Callbacks
    ) -> list[Image.Image]:
        """Paints the first of these pictures, all of them where memory allows. Raises PictureError where none fits."""
        while True:
            try:
                with torch.inference_mode():
                    return self._paint_at_once(subjects[: self._most], texts[: self._most], params, callbacks)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    if self._give_compiling_up(error):
                        continue
                    raise
            # Outside of the except: while the error lives, so do the tensors of its frames.
            free_memory()
            self._step_down(min(len(subjects), self._most), params)

    def _step_down(self, together: int, params: GenerationParams) -> None:
        if together > 1:
            self._most = together // 2
            self._tell(f"{self._most} pictures together instead of {together}", "memory ran out")
        elif not self._vae.tiled:
            self._vae.tile()
            self._tell("pictures are decoded in tiles", "memory ran out with one picture")
        elif not self._hooks and self.device.on_gpu:
            self._offload()
            self._tell("only the part of the model in use stays on the GPU", "memory ran out with one picture")
        else:
            width, height = self.size(params)
            fix = "paint smaller, or close other programs that use the memory"
            raise PictureError(f"there is not enough memory for a picture of {width}x{height}", fix)

    def _placed(self, model: LoadedBase) -> LoadedBase:
        """On the device: all of it, or one part at a time where it has no room for all."""
        if fits_whole(model.parts, self.device.name):
            return model.to(self.device.name)
        self._hooks = keep_one_part_on_the_card(model.parts, self.device.name)
        self._tell("only the part of the model in use stays on the GPU", "all of it would not fit")
        return model

    def _offload(self) -> None:
        self._hooks = keep_one_part_on_the_card(self._model.parts, self.device.name)

    def _paint_at_once(
        self,
        subjects: Sequence[PromptSeed],
        texts: Sequence[Conditioning],
        params: GenerationParams,
        callbacks: Callbacks,
    ) -> list[Image.Image]:
        together = TextBatch(texts)
        width, height = self.size(params)
        second = _second_pass(params)
        steps = [_steps(params), _steps(second) if second else 0]
        if params.denoise is None:
            begin: dict[str, Any] = {"width": width, "height": height}
        else:
            sources = [self._vae.encode(fitted(subject.open_source(), (width, height))) for subject in subjects]
            begin = {"image": torch.stack(sources)}
        latents = self._denoise(together, subjects, params, callbacks, (0, sum(steps)), begin)
        if second and params.hires:
            begin = {"image": self._enlarge(latents, params.hires, (width, height))}
            latents = self._denoise(together, subjects, second, callbacks, (steps[0], sum(steps)), begin)
        return [self._vae.decode(latent) for latent in latents]

    def _enlarge(self, latents: torch.Tensor, hires: Hires, size: tuple[int, int]) -> torch.Tensor:
        """The first pass's latents [n, c, h, w], larger."""
        width, height = (round(side * hires.scale / self.grain) * self.grain for side in size)
        if hires.upscaler is Upscaler.LATENT:
            wanted = (height // self._model.latent_scale, width // self._model.latent_scale)
            return F.interpolate(latents.float(), size=wanted, mode="bilinear", antialias=False)
        pictures = [self._vae.decode(latent) for latent in latents]
        larger = [picture.resize((width, height), Image.Resampling.LANCZOS) for picture in pictures]
        return torch.stack([self._vae.encode(picture) for picture in larger])

    def _denoise(
        self,
        text: TextBatch,
        subjects: Sequence[PromptSeed],
        params: GenerationParams,
        callbacks: Callbacks,
        steps: tuple[int, int],
        begin: dict[str, Any],
    ) -> torch.Tensor:
        """One pass. Latents [n, c, h, w].

        Args:
            text: what the pictures are to show.
            subjects: the pictures, each the seed of its own chance.
            params: all else.
            callbacks: who looks on.
            steps: those of the passes before, and of all passes.
            begin: the size in pixels, or the latents to begin from.
        """
        before, total = steps
        pipeline = self._from_noise
        if params.denoise is not None:
            pipeline, begin = self._from_picture, {**begin, "strength": _strength(params)}
        pipeline.scheduler = self._scheduler(params.sampler, params.schedule)
        # A text that changes on the way has come to its end in the first pass.
        changes = text.changes and not before

        def between_steps(pipeline_: Any, index: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            if callbacks.should_stop():
                raise Stopped
            # Samplers of a higher order look at each step more than once; the next look is the step's it is in.
            done = (index + 1) // pipeline_.scheduler.order
            callbacks.step(min(before + done, total), total)
            if not changes:
                return tensors
            return {name: tensor.to(tensors[name]) for name, tensor in text.at(done + 1).items()}

        looking = self._look(callbacks, params.guidance)
        try:
            latents: torch.Tensor = pipeline(
                **text.first(params.steps if before else 1),
                num_inference_steps=params.steps,
                guidance_scale=params.guidance,
                generator=[torch.Generator().manual_seed(subject.seed) for subject in subjects],
                output_type="latent",
                callback_on_step_end=between_steps,
                callback_on_step_end_tensor_inputs=text.held if changes else [],
                **begin,
            ).images
        finally:
            if looking is not None:
                looking.remove()
        return latents

    def _look(self, callbacks: Callbacks, guidance: float) -> Any:
        if callbacks.show is None:
            return None
        if self._preview is None:
            self._preview = Preview(self._vae, self._model.latent_scale)
        looking = Looking(self._preview, self._model.clean(), guidance, callbacks.show)
        return self._model.denoiser.register_forward_hook(looking, with_kwargs=True)

    def _read(self, subject: PromptSeed, params: GenerationParams) -> Conditioning:
        """A picture's texts, encoded; the LoRAs must be on."""
        te = tuple((each.file, each.file.stat().st_mtime_ns, each.te) for each in params.loras() if each.te)
        key = (subject.prompt, subject.negative, params.steps, params.guidance > 1, te)
        if key not in self._texts:
            while len(self._texts) >= MOST_TEXTS:
                del self._texts[next(iter(self._texts))]
            self._texts[key] = self._text.conditioning(
                subject.prompt, subject.negative, params.steps, guided=params.guidance > 1
            )
        return self._texts[key]


def _second_pass(params: GenerationParams) -> GenerationParams | None:
    hires = params.hires
    return replace(params, steps=hires.steps or params.steps, denoise=hires.denoise) if hires else None


def _strength(params: GenerationParams) -> float:
    """The share of the steps that are run: at least one of them."""
    return 1.0 if params.denoise is None else min(1.0, max(params.denoise, (1 + 1e-6) / params.steps))


def _steps(params: GenerationParams) -> int:
    """The steps that are run; diffusers rounds down."""
    return int(params.steps * _strength(params))


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
