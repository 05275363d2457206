"""FLUX.2 klein as one of the families of base models: the 4B and the 9B, and what was made from them. No torch."""

from __future__ import annotations

from engine.models.family import Family
from engine.models.flow.chat import HUB_FILES, MOST_TOKENS, NOT_THINKING
from engine.models.flux2_klein.arithmetic import KleinArithmetic
from engine.models.flux2_klein.presets import PRESETS
from engine.models.flux2_klein.shape import NAME, PUBLISHED, is_distilled, shape_of, size_of
from engine.models.shape import Arithmetic
from engine.settings.samplers import Sampler

_FLOW = "FLUX.2 klein follows a rectified flow"


def _arithmetic(size: str) -> Arithmetic:
    return KleinArithmetic(size_of(size))


def _is_in_file(names: frozenset[str]) -> bool:
    """By the modulation that its blocks share, in BFL's own names: a transformer without what else it needs, which is
    told when it is loaded."""
    return any("double_stream_modulation_img." in name for name in names)


FAMILY = Family(
    NAME,
    "FLUX.2 klein",
    pipelines=frozenset({"Flux2KleinPipeline"}),
    parts=("transformer", "vae", "text_encoder"),
    is_in_file=_is_in_file,
    shape=shape_of,
    arithmetic=_arithmetic,
    counted=frozenset(PUBLISHED),
    presets=PRESETS,
    base_version="flux2_klein",
    architecture="Flux.2-klein-4b",
    loader="engine.models.flux2_klein.loaded:load",
    hub_names=("flux.2-klein",),
    painting={"sampler": Sampler.EULER, "guidance_scale": 4.0},
    is_distilled=is_distilled,
    distilled_painting={"sampler": Sampler.EULER, "guidance_scale": 1.0, "steps": 4},
    unused={
        "training.min_snr_gamma": _FLOW,
        "training.noise_offset": _FLOW,
        "training.train_text_encoders": "FLUX.2 klein's text encoder gets no LoRA",
        "base.prediction_type": _FLOW,
        "base.zero_terminal_snr": _FLOW,
    },
    prompt_weights=False,
    text_tokens=MOST_TOKENS,
    text_template=NOT_THINKING,
    hub_files=HUB_FILES,
    licences={"FLUX.2 klein 9B": "FLUX Non-Commercial License"},
    lora_layout="engine.lora.families.klein:LAYOUT",
)
