"""Whether a base model's weights are whole, and telling them apart. Needs torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch

from engine.errors import BaseModelError
from engine.models.locate import BaseModel


def check_numbers(base: BaseModel, parts: Mapping[str, torch.nn.Module]) -> None:
    """Whether each of the model's numbers is one: with NaN in it pictures come out black, and a loss is none.

    Args:
        base: the model.
        parts: its parts by name.

    Raises:
        BaseModelError: one is not; names the first place.
    """
    broken: list[str] = []
    for part, model in parts.items():
        for name, tensor in model.state_dict().items():
            # Both are NaN where one number is.
            if tensor.is_floating_point() and tensor.numel() and not _finite(tensor):
                broken.append(f"{part}.{name}")
    if broken:
        what = f"{base.title} is damaged: {len(broken)} of its tensors hold NaN or infinite values"
        where = "the VAE of base.vae" if base.vae is not None and broken[0].startswith("vae.") else "the model"
        raise BaseModelError(f"{what}, such as {broken[0]}", f"copy or download {where} again")


def fingerprint(model: torch.nn.Module) -> str:
    """A model's weights in a few letters: names, shapes and a spread of values of every tensor.

    Cheap enough to take at each start (text encoders are gigabytes), and no model that was trained
    further keeps all of these values.
    """
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        flat = tensor.detach().flatten()
        some = flat[:: max(1, len(flat) // 1024)].float().cpu().contiguous().numpy()
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(some.tobytes())
    return digest.hexdigest()[:16]


def _finite(tensor: torch.Tensor) -> bool:
    least, most = torch.aminmax(tensor)
    return bool(torch.isfinite(least) and torch.isfinite(most))
