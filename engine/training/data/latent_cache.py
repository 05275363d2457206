"""What training sees of the images and captions, computed once: latents and text embeddings. Needs torch.

Each image's latent and each caption's embedding is a small safetensors file in ``cache/``, named by the hash of
everything that it depends on: the image's bytes or the caption's tokens, the resolution, and the weights of the
model that made it. A changed crop, caption or base model simply has another name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn.utils.rnn import pad_sequence

from engine.errors import DatasetError, LoraFileError
from engine.faces.photo.loading import read_header
from engine.lora.file import load_tensors, write_tensors
from engine.models.checks import fingerprint
from engine.models.device import Device
from engine.models.loaded import Embeds, LoadedBase
from engine.settings import TrainingSettings
from engine.training.data.caption_variants import orders
from engine.training.data.images import fit
from engine.training.data.masks import mask_of
from engine.training.data.tensors import TrainingData
from engine.training.data.training_set import TrainingSet

LATENT = "latent"
"""What an image's file calls its latent; the rest is what the denoiser is told of it."""

Tell = Callable[[str, int, int], None]
"""Is told the name of a stretch of work, how much is done, and of how much."""


def training_data(
    base: LoadedBase, training_set: TrainingSet, settings: TrainingSettings, cache: Path, device: Device, tell: Tell
) -> TrainingData:
    """Encodes a dataset, or reads what was encoded before.

    Where the text encoders are trained, captions are only taken apart into tokens: what they make of them changes.

    Raises:
        DatasetError: an image can't be read.
    """
    latents, masks, image = _images(base, training_set, settings, cache / "latents", device, tell)
    own = [orders(example.caption, settings) for example in training_set.examples]
    captions = ["", *dict.fromkeys(caption for each in own for caption in each)]
    numbers = {caption: number for number, caption in enumerate(captions)}
    most = max(map(len, own))
    text: Embeds = {}
    tokens = None
    if settings.train_text_encoders:
        tokens = torch.stack([base.tokens(caption) for caption in captions])
    else:
        text = _texts(base, captions, cache / "text", device, tell)
    rows: list[int] = []
    for number, each in enumerate(training_set.seen):
        rows.append(sum(other.bucket == each.bucket for other in training_set.seen[:number]))
    return TrainingData(
        latents=_by_bucket(latents, training_set),
        masks=_by_bucket(masks, training_set) if settings.masked_loss else (),
        bucket=torch.tensor([each.bucket for each in training_set.seen]),
        row=torch.tensor(rows),
        repeats=torch.tensor([each.repeats for each in training_set.seen]),
        regularisation=torch.tensor([each.regularisation for each in training_set.seen]),
        held_out=torch.tensor([each.held_out for each in training_set.seen]),
        # A caption of fewer orders has each of them more than once.
        captions=torch.tensor([[numbers[each[place % len(each)]] for place in range(most)] for each in own]),
        image=image,
        text=text,
        tokens=tokens,
    )


def _by_bucket(tensors: Sequence[torch.Tensor], training_set: TrainingSet) -> tuple[torch.Tensor, ...]:
    return tuple(
        torch.stack([each for each, seen in zip(tensors, training_set.seen, strict=True) if seen.bucket == bucket])
        for bucket in range(len(training_set.buckets))
    )


def _images(
    base: LoadedBase, training_set: TrainingSet, settings: TrainingSettings, folder: Path, device: Device, tell: Tell
) -> tuple[list[torch.Tensor], list[torch.Tensor], dict[str, torch.Tensor]]:
    """The latent and, where it counts, the mask of each image, and what the denoiser is told of all."""
    maker = fingerprint(base.vae)
    latents, masks, told = [], [], []
    for number, (example, seen) in enumerate(zip(training_set.examples, training_set.seen, strict=True)):
        tell("latents", number, len(training_set.examples))
        width, height = training_set.buckets[seen.bucket]
        # Latents of pictures with a profile are others since their colours are converted.
        colours = " sRGB" if read_header(example.image).profile else ""
        path = folder / f"{_key(maker, f'{width}x{height}{colours}', _read(example.image))}.safetensors"
        kept = _kept(path)
        fitted = fit(example.image, (width, height)) if kept is None or settings.masked_loss else None
        if kept is None and fitted is not None:
            kept = {LATENT: _encode(base, fitted.picture, device), **base.image_conditions(fitted.placement)}
            write_tensors(path, kept, {})
        assert kept is not None
        if fitted is not None and settings.masked_loss:
            shape = (int(kept[LATENT].shape[1]), int(kept[LATENT].shape[2]))
            masks.append(mask_of(fitted, example.face, shape, settings.mask_outside))
        latents.append(kept.pop(LATENT))
        told.append(kept)
    tell("latents", len(training_set.examples), len(training_set.examples))
    return latents, masks, {name: each.to(torch.float32) for name, each in _stacked(told).items()}


def _encode(base: LoadedBase, picture: Image.Image, device: Device) -> torch.Tensor:
    vae = base.vae.to(device.name)
    pixels = torch.from_numpy(np.array(picture, dtype=np.float32) / 127.5 - 1).permute(2, 0, 1)
    with torch.no_grad():
        latents = base.normalise(vae.encode(pixels[None].to(device.name)).latent_dist.mean)
    return latents[0].float().cpu()


def _texts(
    base: LoadedBase, captions: Sequence[str], folder: Path, device: Device, tell: Tell
) -> dict[str, torch.Tensor]:
    maker = "".join(fingerprint(each) for each in base.text_encoders)
    found = []
    for number, caption in enumerate(captions):
        tell("captions", number, len(captions))
        path = folder / f"{_key(maker, base.text_key(caption), b'')}.safetensors"
        kept = _kept(path)
        if kept is None:
            kept = base.encode_caption(caption, device.name)
            write_tensors(path, kept, {})
        found.append({base.old_names.get(name, name): each for name, each in kept.items()})
    tell("captions", len(captions), len(captions))
    # Where a family's texts have lengths of their own, they are filled up with zeros to that of the longest.
    return {name: pad_sequence([each[name] for each in found], batch_first=True) for name in found[0]}


def _stacked(each: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The tensors of each one, one above the other, by name."""
    return {name: torch.stack([one[name] for one in each]) for name in each[0]}


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
