"""A base model of FLUX.2 klein's architecture with random weights, made of the shipped tiny base's parts."""

from __future__ import annotations

from pathlib import Path

import torch

from tools.make_base.klein_parts import KleinSizes, save, untrained_pipeline

SIZES = KleinSizes(heads=2, head=16, double=1, single=2, times=32, text=32, vae=16)


def tiny_klein(folder: Path, seed: int = 0) -> Path:
    """Write one to `folder`, in a second: pictures of 64 x 64, latents of 4 x 16 x 16, texts of 48 tokens.

    It has learnt nothing, but it is not degenerate: the transformer's answer follows noise, text and noise level, and
    the statistics by which latents are normalised differ between channels.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        pipeline = untrained_pipeline(SIZES)
        for name, weight in pipeline.transformer.named_parameters():
            if weight.ndim == 2:
                weight.normal_(std=(4.0 if "_modulation" in name else 1.5) / weight.shape[1] ** 0.5)
        pipeline.vae.bn.running_mean.normal_(std=0.3)
        pipeline.vae.bn.running_var.uniform_(0.5, 1.5)
    save(pipeline, folder)
    return folder
