"""Z-Image as one of the families of base models: the base, Turbo, and what was made from them. No torch."""

from __future__ import annotations

from engine.models.family import Family
from engine.models.flow.chat import HUB_FILES, MOST_TOKENS, THINKING
from engine.models.shape import Arithmetic
from engine.models.z_image.arithmetic import ZImageArithmetic
from engine.models.z_image.presets import PRESETS
from engine.models.z_image.shape import NAME, TITLE, is_distilled, shape_of, size_of
from engine.settings.samplers import Sampler

_FLOW = "Z-Image follows a rectified flow"


def _arithmetic(size: str) -> Arithmetic:
    return ZImageArithmetic(size_of(size))


def _is_in_file(names: frozenset[str]) -> bool:
    """By the refiners and what fills texts up, in its own code's names and diffusers': a transformer without what else
    it needs, which is told when it is loaded. Lumina 2 has the former and not the latter."""
    ends = ("noise_refiner.0.attention.", "cap_pad_token")
    return all(any(end in name for name in names) for end in ends)


FAMILY = Family(
    NAME,
    TITLE,
    pipelines=frozenset({"ZImagePipeline"}),
    parts=("transformer", "vae", "text_encoder"),
    is_in_file=_is_in_file,
    shape=shape_of,
    arithmetic=_arithmetic,
    counted=frozenset({TITLE}),
    presets=PRESETS,
    base_version="z_image",
    architecture="Z-Image",
    loader="engine.models.z_image.loaded:load",
    hub_names=("z-image",),
    # As published: 3 to 5 by diffusers' formula, which leaves out the 1 that A1111's scale begins with.
    painting={"sampler": Sampler.EULER, "guidance_scale": 5.0},
    unused={
        "training.min_snr_gamma": _FLOW,
        "training.noise_offset": _FLOW,
        "training.train_text_encoders": "Z-Image's text encoder gets no LoRA",
        "training.graph": "Z-Image computes each caption at its own length",
        "base.prediction_type": _FLOW,
        "base.zero_terminal_snr": _FLOW,
    },
    is_distilled=is_distilled,
    distilled_painting={"sampler": Sampler.EULER, "guidance_scale": 1.0, "steps": 8},
    prompt_weights=False,
    text_tokens=MOST_TOKENS,
    text_template=THINKING,
    hub_files=HUB_FILES,
    lora_layout="engine.lora.families.z_image:LAYOUT",
    lora_prefix="diffusion_model.",
)
