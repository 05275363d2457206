"""LoRA files for Z-Image: how one is known, and what other programs make of it. No torch.

diffusers is read from 0.42.1 (``loaders/lora_pipeline.py``, ``loaders/lora_conversion_utils.py``); tests run its real
loader. ComfyUI is read from ``comfy/lora.py`` and ``comfy/utils.py``, InvokeAI from
``backend/patches/lora_conversions/z_image_lora_conversion_utils.py``. Of others nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from engine.lora.families.z_image_names import FUSED, OUT, modules_of
from engine.lora.header import BIASES, MAGNITUDES, PAIRS, LoraHeader
from engine.lora.layouts import NOT_KNOWN, UNASKED, Layout, says_in_header, told_of_other_networks
from engine.lora.prefixes import without_prefixes

COMFYS, DIFFUSERS, KOHYAS, LYCORIS = "diffusion_model.", "transformer.", "lora_unet_", "lycoris_"

_GROWTH: dict[str, Callable[[int, int], bool]] = {
    "attention.to_q": lambda inputs, outputs: outputs == inputs,
    "feed_forward.w1": lambda inputs, outputs: outputs == int(inputs / 3 * 8),
    "feed_forward.w2": lambda inputs, outputs: inputs == int(outputs / 3 * 8),
}
"""Linears of which Lumina 2 has others under the same names, or none: its keys are narrower, its MLPs wider."""

_ITS_OWN = re.compile("zimage", re.ASCII)


def _is_of(header: LoraHeader) -> bool:
    """Whether a file is for Z-Image: by sizes that Lumina 2 has not, or by what it says where it has no such module."""
    seen = list(_sizes_that_tell(header))
    if not all(seen):
        return False
    known = sum(bool(modules_of(name)) for name in header.modules)
    return known * 2 > len(header.modules) and (bool(seen) or says_in_header(header, _ITS_OWN))


def _sizes_that_tell(header: LoraHeader) -> Iterator[bool]:
    """Of each module whose size tells Z-Image from Lumina 2, whether it is Z-Image's."""
    for name, (inputs, _, outputs) in header.modules.items():
        modules = modules_of(name)
        if len(modules) == 3:
            yield outputs == 3 * inputs
        for end, fits in _GROWTH.items():
            if modules and len(modules) == 1 and modules[0].endswith(end):
                yield fits(inputs, outputs)


def _original(module: str) -> tuple[str, int, int] | None:
    """The name that files for ComfyUI and kohya's have: diffusers' too, each linear for itself."""
    return (module, 0, 1) if modules_of(module) == (module,) else None


def _clients(header: LoraHeader) -> dict[str, str]:
    if header.other_networks:
        return told_of_other_networks(header)
    if header.lokr:
        return dict.fromkeys((*UNASKED, "ComfyUI", "InvokeAI", "diffusers"), NOT_KNOWN)
    told = {**dict.fromkeys(UNASKED, NOT_KNOWN), "ComfyUI": _comfy(header)}
    return {**told, "InvokeAI": _invoke(header), "diffusers": _diffusers(header)}


def _comfy(header: LoraHeader) -> str:
    total, known = len(header.modules), sum(map(_is_comfys, header.modules))
    if any(name.endswith((*MAGNITUDES, *BIASES)) for name in header.tensors):
        return NOT_KNOWN
    if not known:
        return "loads nothing; all appears in its log (lora key not loaded)"
    if known < total:
        return f"loads {known} of {total} modules; the rest only appears in its log (lora key not loaded)"
    if any(_is_own(without_prefixes(name).replace("_", ".")) for name in header.modules):
        return f"loads {total} modules: its own names"
    of_now = all(name.startswith(f"{COMFYS}layers.") for name in header.modules)
    return f"loads {total} modules, since 29 November 2025" if of_now else f"loads {total} modules"


def _is_comfys(name: str) -> bool:
    """Whether ComfyUI finds a module: by diffusers' names, or by those of its own code, which kohya's must be."""
    bare = without_prefixes(name)
    modules = modules_of(bare)
    if not modules:
        return False
    if name.startswith(KOHYAS):
        own = "_attention_to_" not in name and not bare.startswith("all_")
        return own and "." not in bare
    if name.startswith(LYCORIS):
        return bare == modules[0].replace(".", "_")
    prefix = name.removesuffix(bare)
    if bare == modules[0] and prefix in (COMFYS, DIFFUSERS, ""):
        return True
    return prefix == COMFYS and _is_own(bare)


def _is_own(bare: str) -> bool:
    """Whether a dotted name is one that Z-Image's own code has, and diffusers has not."""
    return bare.endswith((f".{FUSED}", f".{OUT}"))


def _invoke(header: LoraHeader) -> str:
    if all(name.startswith(KOHYAS) for name in header.modules):
        return "fails: it knows no names such as lora_unet_layers_0_…"
    newer = all(f"{name}{PAIRS[1][0]}" in header.tensors for name in header.modules)
    ours = all(
        name.startswith((COMFYS, DIFFUSERS)) and modules_of(name) == (without_prefixes(name),)
        for name in header.modules
    )
    plain = newer and ours and not header.stray_tensors()
    if plain and any(name.endswith(".alpha") for name in header.tensors):
        return f"not known of alphas beside such names ({len(header.modules)} modules)"
    return f"loads {len(header.modules)} modules, as 6.14.2 does" if plain else NOT_KNOWN


def _diffusers(header: LoraHeader) -> str:
    """What ``ZImagePipeline.load_lora_weights`` makes of it."""
    total = len(header.modules)
    tensors = [name for name in header.tensors if "dora_scale" not in name]
    dropped = " without their DoRA scales: another picture" if len(tensors) < len(header.tensors) else ""
    if any(name.endswith((*MAGNITUDES, *BIASES)) for name in tensors):
        return NOT_KNOWN
    older = {name for name in header.modules if f"{name}{PAIRS[0][0]}" in header.tensors}
    alphas = any(name.endswith(".alpha") for name in tensors)
    if not alphas and not any(name.startswith((KOHYAS, COMFYS)) or "default." in name for name in tensors):
        ours = [name for name in header.modules if name.startswith(DIFFUSERS)]
        if not ours:
            return "loads nothing, with a line in its log: no name begins with transformer. or diffusion_model."
        if older:
            return "fails: after transformer. it knows lora_A and lora_B alone"
        known = [name for name in ours if modules_of(name) == (name.removeprefix(DIFFUSERS),)]
    else:
        if odd := [name for name in header.stray_tensors() if "dora_scale" not in name]:
            return f"fails: it has no place for {odd[0]}"
        newer_outs = [name for name in header.modules if name.endswith(f".{OUT}") and name not in older]
        if lost := [name for name in newer_outs if f"{name}.alpha" in tensors]:
            return f"fails: it loses the alpha of {lost[0]}"
        known = [name for name in header.modules if _is_converted(name, old=name in older)]
    return f"loads {len(known)} of {total} modules{dropped}" if known else "fails: it knows none of the names"


def _is_converted(name: str, *, old: bool) -> bool:
    """Whether diffusers turns a name into one of its own, where it converts a file's names.

    Args:
        name: a module's.
        old: whether its matrices are ``lora_down`` and ``lora_up``.
    """
    modules = modules_of(name)
    if name.startswith(KOHYAS):
        return bool(modules) and not name.startswith((f"{KOHYAS}x_embedder", f"{KOHYAS}final_layer"))
    bare = name.removeprefix(COMFYS)
    return modules == (bare,) or (old and bare.endswith(f".{OUT}") and bool(modules))


LAYOUT = Layout(modules_of, _is_of, _original, _clients)
"""Z-Image's: each linear for itself, under diffusers' name, in all three kinds of files that are written."""
