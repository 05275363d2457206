"""Loading a base model of FLUX.2 klein's architecture. Needs torch.

A folder is read from disk and nothing is fetched for it; a hub name is fetched by diffusers into the hub's own cache.
Only safetensors are read, and no code that comes with a model is run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
import transformers

# Before diffusers is imported, which imports those parts of transformers that have something to say.
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
import diffusers  # noqa: E402
from diffusers import Flux2KleinPipeline  # noqa: E402

from engine.errors import BaseModelError  # noqa: E402
from engine.models.folder_safety import check_pipeline  # noqa: E402
from engine.models.locate import BaseKind, BaseModel  # noqa: E402

diffusers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

Pipeline = Any
"""A diffusers ``Flux2KleinPipeline``, which has no types of its own."""

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")


def load_pipeline(base: BaseModel, dtype: torch.dtype = torch.float32) -> Pipeline:
    """Loads a base model onto the CPU: the VAE in float32, the transformer and the text encoder in ``dtype``.

    The text encoder has 4 billion weights: in float32 they would take 16 GB. diffusers runs it in bf16.

    Raises:
        BaseModelError: not there, not whole, no safetensors, a single file, or not of this architecture.
    """
    if base.kind is BaseKind.FILE:
        what = f"{base.source} is one file, and FLUX.2 klein needs its text encoder and VAE beside the transformer"
        raise BaseModelError(what, "give its diffusers folder, or its hub name")
    if base.vae is not None:
        raise BaseModelError("FLUX.2 klein has a VAE of its own kind", "leave base.vae out")
    pipeline = _load(base, dtype)
    missing = [name for name in PARTS if getattr(pipeline, name, None) is None]
    if missing:
        raise BaseModelError(f"{base.source} has no {', '.join(missing)}", "fetch the whole model again")
    pipeline.vae.to(torch.float32)
    for part in (pipeline.vae, pipeline.transformer, pipeline.text_encoder):
        part.requires_grad_(False)
        part.eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _load(base: BaseModel, dtype: torch.dtype) -> Pipeline:
    local = base.kind is BaseKind.FOLDER
    try:
        if local:
            check_pipeline(Path(base.source))
        return Flux2KleinPipeline.from_pretrained(
            base.source, dtype=dtype, use_safetensors=True, local_files_only=local, trust_remote_code=False
        )
    except BaseModelError:
        raise
    # diffusers, transformers and safetensors raise nearly anything for a model that is not whole.
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise BaseModelError(f"{base.source} can't be loaded: {said}", "fetch it again, or give another one") from error
