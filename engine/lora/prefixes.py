"""What stands before the names of a transformer's modules in LoRA files: it says which program wrote them. No torch."""

from __future__ import annotations

_PREFIXES = (
    *("base_model.model.", "model.diffusion_model.", "diffusion_model.", "transformer.", "unet."),
    *("lora_transformer_", "lora_transformer.", "lora_unet_", "lora_unet.", "lycoris_"),
)

_MOST = 3
"""As in ``transformer.base_model.model.``, and one to spare."""


def without_prefixes(name: str) -> str:
    """A module's name as its model has it, with dots or underscores."""
    for _ in range(_MOST):
        name = name.removeprefix(next((each for each in _PREFIXES if name.startswith(each)), ""))
    return name
