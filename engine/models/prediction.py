"""What a base model predicts, told from its files before anything of it is loaded. No torch.

SDXL predicts the noise (epsilon). Some models made from it predict the velocity (v), with noise that ends in nothing
but noise (zero terminal SNR, https://arxiv.org/abs/2305.08891). Published as one file they say so by empty tensors
among their weights, ``v_pred`` and ``ztsnr`` (as NoobAI's; ComfyUI ``comfy/model_base.py``), or in their header by
``modelspec.prediction_type`` (https://github.com/Stability-AI/ModelSpec); a diffusers folder says it in its scheduler's
configuration. FLUX.2 and its like follow rectified flows, and their families say so. What is none of these (EDM's
sigmas, as Playground v2.5's, and SDXL models that were made into flows) can't be painted or trained here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.errors import BaseModelError
from engine.models.folder_safety import pipeline_class
from engine.storage.untrusted_files import open_plain, parse_json, read_json

LARGEST_HEADER = 100_000_000
"""Bytes; safetensors itself reads no larger one."""

V_KEY, ZERO_SNR_KEY = "v_pred", "ztsnr"

EDM_KEYS = ("edm_mean", "edm_std", "edm_vpred.sigma_max", "edm_vpred.sigma_min")
"""Tensors by which single files say that they were trained on EDM's sigmas (https://arxiv.org/abs/2206.00364)."""

_EPSILON = ("epsilon", "eps")
_V = ("v", "v_prediction", "v-prediction", "vpred", "v_pred", "velocity")


class Prediction(StrEnum):
    """What the U-Net says of a noisy latent, by diffusers' names."""

    EPSILON = "epsilon"
    V = "v_prediction"
    FLOW = "flow_prediction"
    """Which way a latent moves as its noise grows, of rectified flows."""


@dataclass(frozen=True)
class NoiseKind:
    """What a base model predicts, and whether its noise ends in nothing but noise."""

    prediction: Prediction = Prediction.EPSILON
    zero_snr: bool = False
    told_by: str = "nothing that says otherwise"
    """Where that stands."""

    def words(self) -> str:
        """``predicts the velocity (v), zero terminal SNR, by its tensors v_pred and ztsnr``."""
        what = {
            Prediction.EPSILON: "the noise (epsilon)",
            Prediction.V: "the velocity (v)",
            Prediction.FLOW: "a rectified flow",
        }[self.prediction]
        return f"predicts {what}{', zero terminal SNR' if self.zero_snr else ''}, by {self.told_by}"

    def record(self) -> dict[str, object]:
        """As ``--json`` prints it."""
        return {"prediction": self.prediction.value, "zero_terminal_snr": self.zero_snr, "told_by": self.told_by}

    def pairs(self) -> dict[str, str]:
        """What a picture's parameters say of it: nothing of what every SDXL model is. The second is A1111's own."""
        told = {"Prediction type": "v"} if self.prediction is Prediction.V else {}
        return {**told, **({"Noise Schedule": "Zero Terminal SNR"} if self.zero_snr else {})}


def noise_of_file(path: Path, lenient: bool = False) -> NoiseKind:
    """Of a base model in one ``.safetensors`` file.

    Args:
        path: the file.
        lenient: whether the name of a prediction that nobody knows will do.

    Raises:
        BaseModelError: it predicts neither the noise nor the velocity.
    """
    try:
        about = path.stat()
        names, metadata = _header(path, about.st_mtime_ns, about.st_size)
    except (OSError, ValueError, RecursionError, struct.error):
        # What is wrong with the file is told when it is loaded.
        return NoiseKind()
    if edm := [name for name in EDM_KEYS if name in names]:
        raise unpaintable(str(path), f"EDM's sigmas (it has {edm[0]})")
    if V_KEY in names or ZERO_SNR_KEY in names:
        found = [name for name in (V_KEY, ZERO_SNR_KEY) if name in names]
        prediction = Prediction.V if V_KEY in names else Prediction.EPSILON
        return NoiseKind(prediction, ZERO_SNR_KEY in names, f"its tensors {' and '.join(found)}")
    told = metadata.get("modelspec.prediction_type")
    if told is None:
        return NoiseKind()
    return NoiseKind(_prediction(str(path), told, lenient), False, "modelspec.prediction_type")


def noise_of_folder(folder: Path, lenient: bool = False) -> NoiseKind:
    """Of a diffusers folder.

    Args:
        folder: the folder.
        lenient: whether the name of a prediction that nobody knows will do.

    Raises:
        BaseModelError: it predicts neither the noise nor the velocity.
    """
    try:
        config = read_json(folder / "scheduler" / "scheduler_config.json")
    except (OSError, ValueError, RecursionError):
        return NoiseKind()
    if not isinstance(config, dict):
        return NoiseKind()
    return noise_of_scheduler(config, str(folder), lenient, flows=not _is_stable_diffusion(folder))


def noise_of_scheduler(config: Any, source: str, lenient: bool = False, flows: bool = False) -> NoiseKind:
    """By the configuration of a diffusers scheduler.

    Args:
        config: its configuration, by name.
        source: the model, for messages.
        lenient: whether the name of a prediction that nobody knows will do.
        flows: whether its family follows rectified flows.

    Raises:
        BaseModelError: it predicts something that its family doesn't.
    """
    name = str(config.get("_class_name", ""))
    continuous = config.get("timestep_type") == "continuous"
    if name.startswith(("EDM", "CosineDPM")) or continuous:
        raise unpaintable(source, f"EDM's sigmas ({name or 'continuous timesteps'})")
    if "FlowMatch" in name or config.get("use_flow_sigmas"):
        if not flows:
            raise unpaintable(source, f"flow matching ({name})")
        return NoiseKind(Prediction.FLOW, False, "its scheduler's configuration")
    prediction = _prediction(source, str(config.get("prediction_type", Prediction.EPSILON)), lenient)
    return NoiseKind(prediction, bool(config.get("rescale_betas_zero_snr")), "its scheduler's configuration")


def names_in(path: Path) -> frozenset[str]:
    """The tensors' names in a ``.safetensors`` file; none where it can't be read."""
    try:
        about = path.stat()
        return _header(path, about.st_mtime_ns, about.st_size)[0]
    except (OSError, ValueError, RecursionError, struct.error):
        return frozenset()


def unpaintable(source: str, what: str) -> BaseModelError:
    """What is raised for a base model that neither predicts the noise nor the velocity."""
    return BaseModelError(
        f"{source} was made with {what}, which is neither epsilon nor v prediction",
        "use SDXL 1.0 or a model made from it",
    )


def _is_stable_diffusion(folder: Path) -> bool:
    """Whether a folder is a Stable Diffusion model's, of which none of those that are read follows a flow."""
    return (pipeline_class(folder) or "StableDiffusion").startswith("StableDiffusion")


def _prediction(source: str, told: str, lenient: bool) -> Prediction:
    word = told.strip().casefold()
    if word in _EPSILON:
        return Prediction.EPSILON
    if word in _V:
        return Prediction.V
    if lenient:
        return Prediction.EPSILON
    raise unpaintable(source, f"the prediction type {told[:40]!r}")


@lru_cache(maxsize=32)
def _header(path: Path, _changed: int, _size: int) -> tuple[frozenset[str], dict[str, str]]:
    """A safetensors file's names and metadata. Raises ValueError and OSError."""
    with open_plain(path) as handle:
        (length,) = struct.unpack("<Q", handle.read(8))
        if not 2 <= length <= LARGEST_HEADER:
            raise ValueError("no header")
        record = parse_json(handle.read(length))
    metadata = record.pop("__metadata__", {}) if isinstance(record, dict) else {}
    told = {str(key): str(value) for key, value in metadata.items()} if isinstance(metadata, dict) else {}
    return frozenset(record), told
