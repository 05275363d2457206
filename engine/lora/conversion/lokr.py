"""LoKr modules in another program's names, with the same ΔW for each. Needs torch.

A LoKr of one linear can't be taken apart into those of three: its rows are not a Kronecker product. So q, k and v keep
what they have, one LoKr each or one for all three, and names that want the other are refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from engine.errors import LoraFileError
from engine.lora.conversion.names import sdxl_name
from engine.lora.layouts import Layout, Style
from engine.lora.lokr import Lokr, put_together
from engine.lora.module_names import DENOISER, Part

Lokrs = Mapping[tuple[Part, str], Lokr]


def sdxls(modules: Lokrs, style: Style, layers_per_block: int) -> dict[str, torch.Tensor]:
    """A LoKr for SDXL, with alphas.

    Raises:
        LoraFileError: it has no place in such a file.
    """
    if modules and style is Style.DIFFUSERS:
        raise LoraFileError("diffusers has no loader of LoKr for SDXL", f"convert it to {Style.KOHYA}")
    tensors: dict[str, torch.Tensor] = {}
    for (part, module), lokr in modules.items():
        name = sdxl_name(style, part, module, layers_per_block)
        # Of one that is whole readers pass over alpha.
        own = lokr if lokr.rank else lokr.scaled(1.0)
        tensors |= _copies(own.tensors(name))
        tensors[f"{name}.alpha"] = torch.tensor(own.scale * (own.rank or 1), dtype=torch.float32)
    return tensors


def with_layout(modules: Lokrs, style: Style, layout: Layout) -> dict[str, torch.Tensor]:
    """A LoKr for another family, its scale multiplied into w1, as where a LoRA of such names has no alpha.

    Raises:
        LoraFileError: it has no place in such a file.
    """
    if style is Style.DIFFUSERS:
        tensors: dict[str, torch.Tensor] = {}
        for (_, module), lokr in modules.items():
            if lokr.rows is not None:
                what = f"{module} has rows of one LoKr with others, which are no LoKr of their own"
                raise LoraFileError(what, f"convert it to {Style.COMFYUI}, whose names have those as one")
            tensors |= _copies(lokr.scaled(1.0).tensors(f"{DENOISER}{module}"))
        return tensors
    parts: dict[str, list[Lokr | None]] = {}
    for (_, module), lokr in modules.items():
        place = layout.original(module)
        if place is None:
            raise LoraFileError(f"{module} has no name in such files", f"convert it to {Style.DIFFUSERS}")
        name, number, count = place
        parts.setdefault(name, [None] * count)[number] = lokr
    tensors = {}
    for name, each in parts.items():
        try:
            whole = each[0] if len(each) == 1 and each[0] is not None else put_together(each)
        except ValueError as error:
            what = f"{name} would need one LoKr for all of its linears, and {error}"
            raise LoraFileError(what, f"keep it in the names of {Style.DIFFUSERS}, which ComfyUI reads too") from error
        spelt = f"lora_unet_{name.replace('.', '_')}" if style is Style.KOHYA else f"diffusion_model.{name}"
        tensors |= _copies(whole.scaled(1.0).tensors(spelt))
    return tensors


def _copies(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A file may not hold one tensor under two names."""
    return {name: each.clone().contiguous() for name, each in tensors.items()}
