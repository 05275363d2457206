"""Loading a base model of SDXL's architecture. Needs torch.

A folder and a single file are read from disk and nothing is fetched for them; a hub name is fetched by diffusers
into the hub's own cache. Only safetensors are read, and no code that comes with a model is run.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers

# Before diffusers is imported, which imports those parts of transformers that have something to say.
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
import diffusers  # noqa: E402
from diffusers import DDPMScheduler, StableDiffusionXLPipeline  # noqa: E402

from engine.base_model import BaseKind, BaseModel  # noqa: E402
from engine.errors import BaseModelError  # noqa: E402
from engine.model_folder import check_pipeline  # noqa: E402

diffusers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
# The newer name of this argument is unknown to the oldest diffusers that will do.
warnings.filterwarnings("ignore", message=".*torch_dtype.*", category=FutureWarning)
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

Pipeline = Any
"""A diffusers ``StableDiffusionXLPipeline``, which has no types of its own."""


def load_pipeline(base: BaseModel, unet_dtype: torch.dtype = torch.float32) -> Pipeline:
    """Loads a base model onto the CPU, everything but the U-Net in float32.

    Raises:
        BaseModelError: not there, not whole, no safetensors, or not of SDXL's architecture.
    """
    try:
        pipeline = _load(base, unet_dtype)
    except BaseModelError:
        raise
    except Exception as error:
        # diffusers and the hub's client raise a dozen unrelated classes for a model that can't be read.
        raise BaseModelError(*_explain(base, error)) from error
    check_architecture(base, pipeline)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def check_architecture(base: BaseModel, pipeline: Pipeline) -> None:
    """Whether a pipeline is SDXL's: two text encoders, and a U-Net that is told sizes.

    Raises:
        BaseModelError: it is not.
    """
    unet = getattr(pipeline, "unet", None)
    encoders = (getattr(pipeline, "text_encoder", None), getattr(pipeline, "text_encoder_2", None))
    if unet is None or unet.config.get("addition_embed_type") != "text_time" or None in encoders:
        raise BaseModelError(f"{base.source} is not of SDXL's architecture", "use SDXL 1.0 or a model made from it")
    if unet.config.in_channels != 4:
        raise BaseModelError(f"{base.source} is an inpainting or editing model", "use a model that paints from text")


def native_resolution(pipeline: Pipeline) -> int:
    """Pixels a side that the base model was made for: 1024 for SDXL."""
    return int(pipeline.unet.config.sample_size) * int(pipeline.vae_scale_factor)


def noise_schedule(pipeline: Pipeline) -> DDPMScheduler:
    """The noise that the base model was trained with."""
    config = {key: value for key, value in pipeline.scheduler.config.items() if not key.startswith("_")}
    return DDPMScheduler.from_config(config)


def _load(base: BaseModel, unet_dtype: torch.dtype) -> Pipeline:
    dtypes = {"unet": unet_dtype, "default": torch.float32}
    if base.kind is BaseKind.FILE:
        pipeline = _load_single_file(base)
        pipeline.unet.to(unet_dtype)
        return pipeline
    if base.kind is BaseKind.FOLDER:
        folder = Path(base.source)
        return StableDiffusionXLPipeline.from_pretrained(
            base.source, torch_dtype=dtypes, use_safetensors=True, local_files_only=True, variant=_variant(folder)
        )
    folder = Path(_fetch(base.source))
    check_pipeline(folder)
    return StableDiffusionXLPipeline.from_pretrained(
        str(folder), torch_dtype=dtypes, use_safetensors=True, local_files_only=True, variant=_variant(folder)
    )


def _load_single_file(base: BaseModel) -> Pipeline:
    wanted: dict[str, Any] = {"torch_dtype": torch.float32}
    if base.config is not None:
        wanted |= {"config": str(base.config), "local_files_only": True}
    return StableDiffusionXLPipeline.from_single_file(base.source, **wanted)


def _fetch(name: str) -> str:
    """The folder of a hub model, fetched if it is not there: half-precision files where it has them."""
    try:
        return str(StableDiffusionXLPipeline.download(name, use_safetensors=True, variant="fp16"))
    except ValueError:
        return str(StableDiffusionXLPipeline.download(name, use_safetensors=True))


def _variant(folder: Path) -> str | None:
    """``fp16`` for a folder that holds only those files."""
    plain = folder / "unet" / "diffusion_pytorch_model.safetensors"
    sharded = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    half = list((folder / "unet").glob("diffusion_pytorch_model*.fp16*"))
    return "fp16" if half and not plain.exists() and not sharded.exists() else None


def _explain(base: BaseModel, error: Exception) -> tuple[str, str]:
    said = " ".join(str(error).split())
    if base.kind is BaseKind.HUB:
        return (
            f"the base model {base.source} can't be fetched ({type(error).__name__})",
            "check its name and the network, log in with: hf auth login, or give a folder or a .safetensors file",
        )
    if base.kind is BaseKind.FILE and base.config is None:
        return (
            f"the base model {base.source} can't be read ({said[:160]})",
            "without a network set base.config to a diffusers folder of the same architecture",
        )
    return f"the base model {base.source} can't be read ({said[:160]})", "copy or download it again"
