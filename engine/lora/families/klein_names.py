"""The names of FLUX.2 klein's modules in LoRA files: diffusers', and those of Black Forest Labs' own code. No torch.

BFL's code has one linear, ``img_attn.qkv``, where diffusers has ``to_q``, ``to_k`` and ``to_v``; that of the text is
``txt_attn.qkv``. Everything else is one linear in both. Before a name stands what the program that wrote it puts there,
and kohya's files have underscores for all dots.
"""

from __future__ import annotations

import re

from engine.lora.prefixes import without_prefixes

FUSED = {
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
}
"""BFL's linear in a double block, and the three of diffusers' that have a third of its outputs each, in their order."""

_DOUBLE = {
    "img_attn.proj": "attn.to_out.0",
    "txt_attn.proj": "attn.to_add_out",
    "img_mlp.0": "ff.linear_in",
    "img_mlp.2": "ff.linear_out",
    "txt_mlp.0": "ff_context.linear_in",
    "txt_mlp.2": "ff_context.linear_out",
}
"""BFL's and diffusers' names of the other linears in a double block."""

_SINGLE = {"linear1": "attn.to_qkv_mlp_proj", "linear2": "attn.to_out"}
"""The same in a single block."""

_BESIDE = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in.in_layer": "time_guidance_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_guidance_embed.timestep_embedder.linear_2",
    "double_stream_modulation_img.lin": "double_stream_modulation_img.linear",
    "double_stream_modulation_txt.lin": "double_stream_modulation_txt.linear",
    "single_stream_modulation.lin": "single_stream_modulation.linear",
    "final_layer.linear": "proj_out",
}
"""The same beside the blocks. The last modulation is left out: its two halves change places between the two."""

_BLOCK = re.compile(
    r"((?:single_)?transformer_blocks|sformer_blocks|double_blocks|single_blocks)_(\d{1,3})_([a-z_\d]{1,40})", re.ASCII
)
"""``sformer_blocks`` is what some programs leave of ``transformer_blocks``."""


def _flat(names: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {name.replace(".", "_"): modules for name, modules in names.items()}


_BFLS_DOUBLE = _flat({**{bfl: (module,) for bfl, module in _DOUBLE.items()}, **FUSED})
_BFLS_SINGLE = _flat({bfl: (module,) for bfl, module in _SINGLE.items()})
_ITS_DOUBLE = _flat(
    {each: (each,) for each in (*_DOUBLE.values(), *(each for three in FUSED.values() for each in three))}
)
_ITS_SINGLE = _flat({each: (each,) for each in _SINGLE.values()})

_BLOCKS = {
    "double_blocks": ("transformer_blocks", _BFLS_DOUBLE),
    "single_blocks": ("single_transformer_blocks", _BFLS_SINGLE),
    "transformer_blocks": ("transformer_blocks", _ITS_DOUBLE),
    "sformer_blocks": ("transformer_blocks", _ITS_DOUBLE),
    "single_transformer_blocks": ("single_transformer_blocks", _ITS_SINGLE),
}
"""What blocks are called in a file: diffusers' name for them, and the linears that such a block has."""

_FLAT_BESIDE = {
    name.replace(".", "_"): module
    for name, module in (*_BESIDE.items(), *((each, each) for each in (*_BESIDE.values(), "norm_out.linear")))
}


def modules_of(name: str) -> tuple[str, ...]:
    """diffusers' names of what a file calls ``name``: one, three where q, k and v are one linear there, none where
    klein has nothing of that name."""
    plain = without_prefixes(name).replace(".", "_")
    if plain in _FLAT_BESIDE:
        return (_FLAT_BESIDE[plain],)
    found = _BLOCK.fullmatch(plain)
    if found is None:
        return ()
    blocks, linears = _BLOCKS[found[1]]
    return tuple(f"{blocks}.{int(found[2])}.{each}" for each in linears.get(found[3], ()))


def bfl_name(module: str) -> tuple[str, int, int] | None:
    """BFL's name for diffusers' module, which part of it that is, and of how many; None where it has none.

    ``transformer_blocks.0.attn.to_k`` is the part 1 of the 3 of ``double_blocks.0.img_attn.qkv``.
    """
    if module in _BESIDE.values():
        return next(bfl for bfl, each in _BESIDE.items() if each == module), 0, 1
    kind, _, rest = module.partition(".")
    number, _, leaf = rest.partition(".")
    ours = {"transformer_blocks": ("double_blocks", _DOUBLE), "single_transformer_blocks": ("single_blocks", _SINGLE)}
    if kind not in ours:
        return None
    blocks, linears = ours[kind]
    for bfl, each in linears.items():
        if each == leaf:
            return f"{blocks}.{number}.{bfl}", 0, 1
    for bfl, three in FUSED.items() if kind == "transformer_blocks" else ():
        if leaf in three:
            return f"{blocks}.{number}.{bfl}", three.index(leaf), len(three)
    return None
