"""The names of Z-Image's modules in LoRA files: diffusers', and those of its own code, which ComfyUI has. No torch.

Its own code has one linear, ``attention.qkv``, where diffusers has ``to_q``, ``to_k`` and ``to_v``, and
``attention.out`` for ``to_out.0``. Everything else inside of a block has one name. LoRA files for ComfyUI mostly have
diffusers' names.
"""

from __future__ import annotations

import re

from engine.lora.prefixes import without_prefixes

FUSED, OUT = "attention.qkv", "attention.out"

_QKV = ("attention.to_q", "attention.to_k", "attention.to_v")
"""In the order of their outputs in the fused linear."""

_LEAVES = {
    **{leaf.replace(".", "_"): (leaf,) for leaf in (*_QKV, "attention.to_out.0", "adaLN_modulation.0")},
    **{f"feed_forward_w{number}": (f"feed_forward.w{number}",) for number in (1, 2, 3)},
    FUSED.replace(".", "_"): _QKV,
    OUT.replace(".", "_"): ("attention.to_out.0",),
    # Some files leave the list's number out.
    "attention_to_out": ("attention.to_out.0",),
}
"""The linears of a block, underscored, and diffusers' names of them."""

_BESIDE = {
    "x_embedder": "all_x_embedder.2-1",
    "final_layer.linear": "all_final_layer.2-1.linear",
    "final_layer.adaLN_modulation.1": "all_final_layer.2-1.adaLN_modulation.1",
    "cap_embedder.1": "cap_embedder.1",
    "t_embedder.mlp.0": "t_embedder.mlp.0",
    "t_embedder.mlp.2": "t_embedder.mlp.2",
}
"""Its own code's and diffusers' names of what lies in no block."""

_FLAT_BESIDE = {name.replace(".", "_"): module for own, module in _BESIDE.items() for name in (own, module)}

_BLOCK = re.compile(r"(layers|noise_refiner|context_refiner)_(\d{1,3})_([A-Za-z_\d]{1,40})", re.ASCII)


def modules_of(name: str) -> tuple[str, ...]:
    """diffusers' names of what a file calls ``name``: one, three where q, k and v are one linear there, none where
    Z-Image has nothing of that name."""
    plain = without_prefixes(name).replace(".", "_")
    if plain in _FLAT_BESIDE:
        return (_FLAT_BESIDE[plain],)
    found = _BLOCK.fullmatch(plain)
    if found is None:
        return ()
    return tuple(f"{found[1]}.{int(found[2])}.{each}" for each in _LEAVES.get(found[3], ()))
