"""A base model of Z-Image's architecture with random weights."""

from __future__ import annotations

from pathlib import Path

import torch

from tools.make_base.klein_parts import save
from tools.make_base.z_image_parts import ZImageSizes, untrained_pipeline


def tiny_z_image(folder: Path, seed: int = 0) -> Path:
    """Write one to `folder`, in a second: pictures of 64 x 64, latents of 4 x 16 x 16, texts as long as they are.

    It has learnt nothing, but it is not degenerate: the transformer's answer follows noise, text and noise level.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        pipeline = untrained_pipeline(ZImageSizes())
        for name, weight in pipeline.transformer.named_parameters():
            if name.endswith("_pad_token"):
                weight.normal_()
            elif weight.ndim == 2:
                weight.normal_(std=(4.0 if "adaLN" in name else 1.5) / weight.shape[1] ** 0.5)
    save(pipeline, folder)
    return folder
