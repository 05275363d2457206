"""What training sees of the images and captions, computed once: latents and text embeddings. Needs torch.

Each image's latent and each caption's embedding is a small safetensors file in ``cache/``, named by the hash of
everything that it depends on: the image's bytes or the caption's tokens, the resolution, and the weights of the
model that made it. A changed crop, caption or base model simply has another name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from engine.errors import DatasetError, LoraFileError
from engine.training.base import Pipeline
from engine.training.device import Device
from engine.training.examples import Example
from engine.training.lora_file import load_tensors, write_tensors
from engine.training.loss import Batch

Tell = Callable[[str, int, int], None]
"""Is told the name of a stretch of work, how much is done, and of how much."""


@dataclass(frozen=True)
class TrainingData:
    """A whole dataset as training sees it. n images, m different captions; the empty caption is number 0."""

    latents: torch.Tensor
    """[n, 4, h, w], scaled to unit variance as the U-Net wants them."""
    time_ids: torch.Tensor
    """[n, 6]"""
    caption_of: torch.Tensor
    """[n], int64: which caption belongs to an image."""
    hidden: torch.Tensor
    """[m, tokens, width]"""
    pooled: torch.Tensor
    """[m, width]"""

    def __len__(self) -> int:
        return len(self.latents)

    def to(self, device: str) -> TrainingData:
        """All of it on a device; a face dataset is a few megabytes."""
        return TrainingData(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    def tensors(self) -> dict[str, torch.Tensor]:
        """By name, as they are saved."""
        return dict(vars(self))

    def batch(self, images: Sequence[int], without_caption: Sequence[bool]) -> Batch:
        """The images of one step; those ``without_caption`` see the empty one."""
        index = torch.tensor(images, device=self.latents.device)
        dropped = torch.tensor(without_caption, device=self.latents.device)
        caption = torch.where(dropped, 0, self.caption_of[index])
        return Batch(self.latents[index], self.hidden[caption], self.pooled[caption], self.time_ids[index])


def training_data(
    pipeline: Pipeline, examples: Sequence[Example], resolution: int, cache: Path, device: Device, tell: Tell
) -> TrainingData:
    """Encodes a dataset, or reads what was encoded before.

    Raises:
        DatasetError: an image can't be read.
    """
    latents, time_ids = _latents(pipeline, examples, resolution, cache / "latents", device, tell)
    captions = ["", *dict.fromkeys(example.caption for example in examples)]
    numbers = {caption: number for number, caption in enumerate(captions)}
    hidden, pooled = _texts(pipeline, captions, cache / "text", device, tell)
    return TrainingData(
        torch.stack(latents),
        torch.tensor(time_ids, dtype=torch.float32),
        torch.tensor([numbers[example.caption] for example in examples]),
        torch.stack(hidden),
        torch.stack(pooled),
    )


def too_long(pipeline: Pipeline, caption: str) -> bool:
    """Whether a caption has more tokens than the text encoders read (75 and the two at the ends)."""
    tokenizer = pipeline.tokenizer
    return bool(len(tokenizer(caption).input_ids) > tokenizer.model_max_length)


def _latents(
    pipeline: Pipeline, examples: Sequence[Example], resolution: int, folder: Path, device: Device, tell: Tell
) -> tuple[list[torch.Tensor], list[list[int]]]:
    maker = fingerprint(pipeline.vae)
    latents, time_ids = [], []
    for number, example in enumerate(examples):
        tell("latents", number, len(examples))
        raw = _read(example.image)
        path = folder / f"{_key(maker, str(resolution), raw)}.safetensors"
        kept = _kept(path)
        if kept is None:
            picture, sizes = _square(example.image, resolution)
            kept = {"latent": _encode(pipeline, picture, device), "time_ids": torch.tensor(sizes)}
            write_tensors(path, kept, {})
        latents.append(kept["latent"])
        time_ids.append(kept["time_ids"].tolist())
    tell("latents", len(examples), len(examples))
    return latents, time_ids


def _square(path: Path, resolution: int) -> tuple[Image.Image, list[int]]:
    """The image at the resolution, and its SDXL time ids (https://arxiv.org/abs/2307.01952, section 2.2).

    An image that is not square is cut at its longer side, in the middle. The original size is told only where it
    is smaller than the target: pictures that were scaled up look so, and the model is to know why.
    """
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DatasetError(f"the training image {path} can't be read", "take it out or build it again") from error
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    scale = resolution / side
    cut = picture.crop((left, top, left + side, top + side)).resize((resolution, resolution), Image.Resampling.LANCZOS)
    seen = min(side, resolution)
    return cut, [seen, seen, round(top * scale), round(left * scale), resolution, resolution]


def _encode(pipeline: Pipeline, picture: Image.Image, device: Device) -> torch.Tensor:
    vae = pipeline.vae.to(device.name)
    pixels = torch.from_numpy(np.array(picture, dtype=np.float32) / 127.5 - 1).permute(2, 0, 1)
    with torch.no_grad():
        mean = vae.encode(pixels[None].to(device.name)).latent_dist.mean
    shift = vae.config.get("shift_factor") or 0.0
    latent: torch.Tensor = (mean[0] - shift) * vae.config.scaling_factor
    return latent.float().cpu()


def _texts(
    pipeline: Pipeline, captions: Sequence[str], folder: Path, device: Device, tell: Tell
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    maker = fingerprint(pipeline.text_encoder) + fingerprint(pipeline.text_encoder_2)
    hidden, pooled = [], []
    for number, caption in enumerate(captions):
        tell("captions", number, len(captions))
        tokens = [each(caption).input_ids for each in (pipeline.tokenizer, pipeline.tokenizer_2)]
        path = folder / f"{_key(maker, str(tokens), b'')}.safetensors"
        kept = _kept(path)
        if kept is None:
            kept = _encode_text(pipeline, caption, device)
            write_tensors(path, kept, {})
        hidden.append(kept["hidden"])
        pooled.append(kept["pooled"])
    tell("captions", len(captions), len(captions))
    return hidden, pooled


def _encode_text(pipeline: Pipeline, caption: str, device: Device) -> dict[str, torch.Tensor]:
    """Both encoders' last hidden state but one, side by side, and the second's pooled text."""
    for encoder in (pipeline.text_encoder, pipeline.text_encoder_2):
        encoder.to(device.name)
    with torch.no_grad():
        hidden, _, pooled, _ = pipeline.encode_prompt(
            prompt=caption, device=device.name, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
    return {"hidden": hidden[0].float().cpu().contiguous(), "pooled": pooled[0].float().cpu().contiguous()}


def fingerprint(model: torch.nn.Module) -> str:
    """A model's weights in a few letters: names, shapes and a spread of values of every tensor.

    Cheap enough to take at each start (the text encoders of SDXL are gigabytes), and no model that was trained
    further keeps all of these values.
    """
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        flat = tensor.detach().flatten()
        some = flat[:: max(1, len(flat) // 1024)].float().cpu().contiguous().numpy()
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(some.tobytes())
    return digest.hexdigest()[:16]


def _key(maker: str, setting: str, raw: bytes) -> str:
    return hashlib.sha256(f"{maker}/{setting}/".encode() + raw).hexdigest()[:32]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"the training image {path} can't be read ({error.strerror})", "build it again") from error


def _kept(path: Path) -> dict[str, torch.Tensor] | None:
    """What was computed before; a damaged file is as good as none."""
    if not path.exists():
        return None
    try:
        return load_tensors(path)
    except LoraFileError:
        return None
