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
from diffusers import (  # noqa: E402
    AutoencoderKL,
    DDPMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
)
from safetensors.torch import load_file  # noqa: E402

from engine.errors import BaseModelError  # noqa: E402
from engine.models.checks import check_numbers  # noqa: E402
from engine.models.folder_safety import check_pipeline  # noqa: E402
from engine.models.locate import BaseKind, BaseModel  # noqa: E402
from engine.models.prediction import names_in, noise_of_scheduler  # noqa: E402

diffusers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
# The newer name of this argument is unknown to the oldest diffusers that will do.
warnings.filterwarnings("ignore", message=".*torch_dtype.*", category=FutureWarning)
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")
"""Those that have weights."""

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
    check_numbers(base, {name: getattr(pipeline, name) for name in PARTS})
    pipeline.scheduler = _scheduler(base, pipeline.scheduler)
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
        raise BaseModelError(f"{base.source} does not have SDXL's architecture", "use SDXL 1.0 or a model made from it")
    if unet.config.in_channels != 4:
        raise BaseModelError(f"{base.source} is an inpainting or editing model", "use a text-to-image model")


def native_resolution(pipeline: Pipeline) -> int:
    """Pixels a side that the base model was made for: 1024 for SDXL."""
    return int(pipeline.unet.config.sample_size) * int(pipeline.vae_scale_factor)


def noise_schedule(pipeline: Pipeline) -> DDPMScheduler:
    """The noise that the base model was trained with."""
    config = {key: value for key, value in pipeline.scheduler.config.items() if not key.startswith("_")}
    return DDPMScheduler.from_config(config)


def _scheduler(base: BaseModel, own: Any) -> Any:
    """The model's own scheduler, saying of the prediction what its files or the settings say.

    Raises:
        BaseModelError: it predicts neither the noise nor the velocity.
    """
    told = base.noise or noise_of_scheduler({**own.config, "_class_name": type(own).__name__}, base.source)
    config = {key: value for key, value in own.config.items() if not key.startswith("_")}
    wanted = {"prediction_type": told.prediction.value, "rescale_betas_zero_snr": told.zero_snr}
    if all(config.get(key, False) == value for key, value in wanted.items()):
        return own
    # Not every scheduler knows of a zero terminal SNR.
    kind = type(own) if "rescale_betas_zero_snr" in config else EulerDiscreteScheduler
    return kind.from_config({**config, **wanted})


def _load(base: BaseModel, unet_dtype: torch.dtype) -> Pipeline:
    if base.kind is BaseKind.FILE:
        pipeline = _load_single_file(base)
        pipeline.unet.to(unet_dtype)
        return pipeline
    folder = Path(base.source) if base.kind is BaseKind.FOLDER else Path(_fetch(base.source))
    if base.kind is BaseKind.HUB:
        check_pipeline(folder)
    return StableDiffusionXLPipeline.from_pretrained(
        str(folder),
        torch_dtype={"unet": unet_dtype, "default": torch.float32},
        use_safetensors=True,
        local_files_only=True,
        variant=_variant(folder),
        **_own_vae(base, folder),
    )


def _load_single_file(base: BaseModel) -> Pipeline:
    wanted: dict[str, Any] = {"torch_dtype": torch.float32, **_own_vae(base, base.config)}
    _check_whole(base)
    if base.config is not None:
        wanted |= {"config": str(base.config), "local_files_only": True}
    return StableDiffusionXLPipeline.from_single_file(base.source, **wanted)


def _check_whole(base: BaseModel) -> None:
    """Whether a single file has all parts. Raises BaseModelError, which says what to do."""
    names = names_in(Path(base.source))
    parts = {"a VAE": ("first_stage_model.", "vae."), "text encoders": ("conditioner.embedders.", "cond_stage_model.")}
    fixes = {
        "a VAE": "set base.vae to one, such as sdxl-vae-fp16-fix",
        "text encoders": "give the whole checkpoint, not the U-Net alone",
    }
    for what, prefixes in parts.items():
        if names and not any(name.startswith(prefixes) for name in names) and not (what == "a VAE" and base.vae):
            raise BaseModelError(f"{base.source} holds no {what.removeprefix('a ')}", fixes[what])


def _own_vae(base: BaseModel, config: Path | None) -> dict[str, Any]:
    """The VAE of the settings, where they name one, as diffusers takes it beside a base model.

    Args:
        base: the model.
        config: a diffusers folder whose VAE's configuration fits a single file.

    Raises:
        BaseModelError: it can't be read.
    """
    path = base.vae
    if path is None:
        return {}
    try:
        if path.is_dir():
            variant = "fp16" if not _plain(path) else None
            found = AutoencoderKL.from_pretrained(
                str(path), torch_dtype=torch.float32, use_safetensors=True, local_files_only=True, variant=variant
            )
        elif any(name.startswith("encoder.down_blocks.") for name in names_in(path)):
            # In diffusers' names, for which the file itself has no configuration.
            known = path.parent if (path.parent / "config.json").is_file() else (config or path.parent) / "vae"
            found = AutoencoderKL.from_config(AutoencoderKL.load_config(str(known), local_files_only=True))
            found.load_state_dict(load_file(str(path)))
            found = found.float()
        else:
            where = {"config": str(config), "subfolder": "vae", "local_files_only": True} if config is not None else {}
            found = AutoencoderKL.from_single_file(str(path), torch_dtype=torch.float32, **where)
    except Exception as error:
        # diffusers and safetensors raise a dozen unrelated classes for a model that can't be read.
        said = " ".join(str(error).split())[:160]
        fix = "base.vae: give a VAE for SDXL, as a .safetensors file or a diffusers folder"
        raise BaseModelError(f"the VAE {path} can't be read ({said})", fix) from error
    return {"vae": found}


def _fetch(name: str) -> str:
    """The folder of a hub model, fetched if it is not there: half-precision files where it has them."""
    try:
        return str(StableDiffusionXLPipeline.download(name, use_safetensors=True, variant="fp16"))
    except ValueError:
        return str(StableDiffusionXLPipeline.download(name, use_safetensors=True))


def _variant(folder: Path) -> str | None:
    """``fp16`` for a folder in which one part has only those files; diffusers reads the others' as they are."""
    parts = [folder / part for part in ("unet", "vae", "text_encoder", "text_encoder_2")]
    return "fp16" if any(list(part.glob("*.fp16*")) and not _plain(part) for part in parts) else None


def _plain(part: Path) -> bool:
    """Whether a part's folder has weights that are of no variant."""
    names = ("diffusion_pytorch_model", "model")
    return any(list(part.glob(f"{name}{end}")) for name in names for end in (".safetensors", ".safetensors.index.json"))


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
