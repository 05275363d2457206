"""LoRA files for FLUX.2 klein: how one is known, and what other programs make of it. No torch.

diffusers is read from 0.42.1 (``loaders/lora_pipeline.py``, ``loaders/lora_conversion_utils.py``); tests run its real
loader. Of the other programs only what was tried or read is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from engine.lora.families.klein_lokr import in_comfyui, in_diffusers
from engine.lora.families.klein_names import bfl_name, modules_of
from engine.lora.header import BIASES, MAGNITUDES, PAIRS, LoraHeader
from engine.lora.layouts import NOT_KNOWN, UNASKED, Layout, says_in_header, told_of_other_networks

DEV_WIDTH = 6144
"""FLUX.2 dev has the same modules, this wide."""

_GROWTH: dict[str, Callable[[int, int], bool]] = {
    "attn.to_qkv_mlp_proj": lambda inputs, outputs: outputs == 9 * inputs,
    "single.attn.to_out": lambda inputs, outputs: inputs == 4 * outputs,
    "linear_in": lambda inputs, outputs: outputs == 6 * inputs,
    "linear_out": lambda inputs, outputs: inputs == 3 * outputs,
}
"""Linears of which FLUX.1 has others under the same names: its MLPs are 4 times as wide and have no gates."""

_ITS_OWN = re.compile(r"(flux2|klein)", re.ASCII)


def _is_of(header: LoraHeader) -> bool:
    """Whether a file is for klein: by sizes that FLUX.1 has not, or by what it says where it has no such module."""
    seen = list(_sizes_that_tell(header))
    if not all(seen):
        return False
    if any(DEV_WIDTH in (inputs, outputs) for inputs, _, outputs in header.modules.values()):
        return False
    known = sum(bool(modules_of(name)) for name in header.modules)
    return known * 2 > len(header.modules) and (bool(seen) or says_in_header(header, _ITS_OWN))


def _sizes_that_tell(header: LoraHeader) -> Iterator[bool]:
    """Of each module whose size tells klein from FLUX.1, whether it is klein's."""
    for name, (inputs, _, outputs) in header.modules.items():
        module = next(iter(modules_of(name)), "").replace("single_transformer_blocks.", "single.")
        plain = re.sub(r"\.\d+\.", ".", module, count=1)
        for end, fits in _GROWTH.items():
            if plain.endswith(end):
                yield fits(inputs, outputs)


def _clients(header: LoraHeader) -> dict[str, str]:
    if header.other_networks:
        return told_of_other_networks(header)
    if header.lokr:
        told = dict.fromkeys(UNASKED, NOT_KNOWN) | {"ComfyUI": in_comfyui(header), "diffusers": in_diffusers(header)}
        return {**told, "InvokeAI": f"loads such networks ({len(header.lokr)} LoKr modules), as 6.14.2 does"}
    count = f"{len(header.modules)} modules"
    comfy, invoke = NOT_KNOWN, NOT_KNOWN
    newer = all(f"{name}{PAIRS[1][0]}" in header.tensors for name in header.modules)
    alphas = any(name.endswith(".alpha") for name in header.tensors)
    plain = newer and not header.stray_tensors()
    if plain and not alphas and _all_are(header, "transformer.", original=False):
        comfy, invoke = f"loads {count}, since January 2026", f"loads {count}, as 6.14.2 does"
    elif plain and _all_are(header, "diffusion_model.", original=True):
        comfy = f"not known of BFL's names with alphas ({count})" if alphas else f"loads {count}: its own names"
        invoke = "takes alphas beside such names for LyCORIS' only" if alphas else f"loads {count}, as 6.14.2 does"
    told = {**dict.fromkeys(UNASKED, NOT_KNOWN), "ComfyUI": comfy, "InvokeAI": invoke}
    return {**told, "diffusers": _diffusers(header)}


def _all_are(header: LoraHeader, prefix: str, *, original: bool) -> bool:
    return all(
        name.startswith(prefix) and _is_original(name.removeprefix(prefix)) == original and modules_of(name)
        for name in header.modules
    )


def _is_original(bare: str) -> bool:
    """Whether a name without prefixes is BFL's."""
    modules = modules_of(bare)
    return bool(modules) and modules[0] != bare


def _diffusers(header: LoraHeader) -> str:
    """What ``Flux2KleinPipeline.load_lora_weights`` makes of it."""
    total = len(header.modules)
    tensors = [name for name in header.tensors if "dora_scale" not in name]
    dropped = " without their DoRA scales: another picture" if len(tensors) < len(header.tensors) else ""
    if any(PAIRS[0][0] in name for name in tensors):
        names = [name for name in header.modules if _is_kohyas(name) and f"{name}{PAIRS[0][0]}" in header.tensors]
        if not names:
            return "loads nothing, with a line in its log: of kohya's names it knows lora_unet_double_blocks_… alone"
        return f"loads {len(names)} of {total} modules{dropped}"
    if odd := [name for name in tensors if "lora" not in name]:
        return f"fails: it takes no tensor beside a pair, such as {odd[0]}"
    if any(name.endswith((*MAGNITUDES, *BIASES)) or ".default." in name for name in tensors):
        return NOT_KNOWN
    prefixes = ("diffusion_model.", "base_model.model.")
    if any(name.startswith(prefixes) for name in tensors):
        strange = [name for name in header.modules if not (name.startswith(prefixes) and modules_of(name))]
        return f"fails: it does not know {strange[0]}" if strange else f"loads {total} of {total} modules{dropped}"
    ours = [name.removeprefix("transformer.") for name in header.modules if name.startswith("transformer.")]
    if not ours:
        return "loads nothing, with a line in its log: no name begins with transformer. or diffusion_model."
    known = [name for name in ours if modules_of(name) == (name,)]
    return f"loads {len(known)} of {total} modules{dropped}" if known else "fails: it knows none of the names"


def _is_kohyas(name: str) -> bool:
    """Whether it is BFL's name in kohya's spelling."""
    bare = name.removeprefix("lora_unet_")
    return bare != name and bare.startswith(("double_blocks_", "single_blocks_")) and bool(modules_of(bare))


LAYOUT = Layout(modules_of, _is_of, bfl_name, _clients)
