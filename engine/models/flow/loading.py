"""Loading a base model that consists of a transformer, a VAE and one text encoder. Needs torch.

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

from engine.errors import BaseModelError  # noqa: E402
from engine.models.checks import check_numbers  # noqa: E402
from engine.models.folder_safety import check_pipeline  # noqa: E402
from engine.models.locate import BaseKind, BaseModel  # noqa: E402

diffusers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

Pipeline = Any
"""A diffusers pipeline, which has no types of its own."""

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")

WITH_WEIGHTS = ("vae", "transformer", "text_encoder")


def load_pipeline(base: BaseModel, kind: Any, title: str, dtype: torch.dtype = torch.float32) -> Pipeline:
    """Loads a base model onto the CPU: the VAE in float32, the transformer and the text encoder in ``dtype``.

    A text encoder of 4 billion weights would take 16 GB in float32. diffusers runs it in bf16.

    Args:
        base: the model.
        kind: diffusers' class of its pipeline.
        title: its family's, for messages.
        dtype: of most weights.

    Raises:
        BaseModelError: not there, not whole, no safetensors, a single file, weights that are no numbers, or not of this
            architecture.
    """
    if base.kind is BaseKind.FILE:
        what = f"{base.source} is one file, and {title} needs its text encoder and VAE beside the transformer"
        raise BaseModelError(what, "give its diffusers folder, or its hub name")
    if base.vae is not None:
        raise BaseModelError(f"{title} is used with its own VAE", "leave base.vae out")
    pipeline = _load(base, kind, dtype)
    missing = [name for name in PARTS if getattr(pipeline, name, None) is None]
    if missing:
        raise BaseModelError(f"{base.source} has no {', '.join(missing)}", "fetch the whole model again")
    pipeline.vae.to(torch.float32)
    for name in WITH_WEIGHTS:
        getattr(pipeline, name).requires_grad_(False).eval()
    pipeline.set_progress_bar_config(disable=True)
    check_numbers(base, {name: getattr(pipeline, name) for name in ("transformer", "vae", "text_encoder")})
    return pipeline


def _load(base: BaseModel, kind: Any, dtype: torch.dtype) -> Pipeline:
    local = base.kind is BaseKind.FOLDER
    try:
        if local:
            check_pipeline(Path(base.source))
        return kind.from_pretrained(
            base.source, dtype=dtype, use_safetensors=True, local_files_only=local, trust_remote_code=False
        )
    except BaseModelError:
        raise
    # diffusers, transformers and safetensors raise nearly anything for a model that is not whole.
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise BaseModelError(f"{base.source} can't be loaded: {said}", "fetch it again, or give another one") from error
