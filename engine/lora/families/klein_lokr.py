"""What other programs make of a LoKr file for FLUX.2 klein. No torch.

diffusers is read from 0.42.1 (``lora_pipeline.py``, ``lora_conversion_utils.py``, ``utils/peft_utils.py``); tests run
its real loader. It makes a LoKrConfig anew from the sizes in the file; what that would divide otherwise does not fit.
ComfyUI is read from its ``comfy/lora.py`` and ``comfy/weight_adapter/lokr.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.kronecker import factorization
from engine.lora.families.klein_names import modules_of
from engine.lora.header import LoraHeader
from engine.lora.layouts import NOT_KNOWN
from engine.lora.lokr_header import LARGEST_SIDE, LokrParts

_BLOCKS = ("lycoris_transformer_blocks_", "lycoris_single_transformer_blocks_")


def in_comfyui(header: LoraHeader) -> str:
    """What ComfyUI makes of it: by diffusers' names since it has those for klein, by its own in dots or underscores."""
    count = f"{len(header.modules)} modules"
    if header.stray_tensors() or len(header.lokr) < len(header.modules):
        return NOT_KNOWN
    if all(_is_diffusers(name, "transformer.") or _is_diffusers(name, "lycoris_") for name in header.modules):
        return f"loads {count}, since January 2026"
    if all(_is_original(name, "diffusion_model.") or _is_original(name, "lora_unet_") for name in header.modules):
        return f"loads {count}: its own names"
    return NOT_KNOWN


def in_diffusers(header: LoraHeader) -> str:
    """What ``Flux2KleinPipeline.load_lora_weights`` makes of it."""
    if header.stray_tensors() or len(header.lokr) < len(header.modules) or "lora_adapter_metadata" in header.metadata:
        return NOT_KNOWN
    read, why = _names_read(header)
    if why:
        return f"fails: {why}"
    if not read:
        return "fails: it knows none of the names"
    if why := _why_no_config([header.lokr[name] for name in read]):
        return f"fails: {why}"
    return f"loads {len(read)} of {len(header.modules)} modules"


def _names_read(header: LoraHeader) -> tuple[Sequence[str], str]:
    """The modules for which it has a place, and why it fails, where it does."""
    names = {name: name.replace("base_model.model.", "diffusion_model.", 1) for name in header.lokr}
    if any(name.startswith("lycoris_") for name in names.values()):
        odd = [name for name in names if not (name.startswith(_BLOCKS) and _is_diffusers(name, "lycoris_"))]
        return list(names), f"it does not know {odd[0]}" if odd else ""
    if any(name.startswith("diffusion_model.") for name in names.values()):
        odd = [name for name, dotted in names.items() if not _is_original(dotted, "diffusion_model.")]
        return list(names), f"it does not know {odd[0]}" if odd else ""
    if not any(name.startswith("transformer.") for name in names):
        return [name for name in names if modules_of(name) == (name,)], ""
    if any(name.endswith(".alpha") for name in header.tensors):
        return [], "it takes no alpha beside names that begin with transformer."
    return [name for name in names if _is_diffusers(name, "transformer.")], ""


def _why_no_config(modules: Sequence[LokrParts]) -> str:
    """Why the config that it makes of the sizes has others; empty: it has the same."""
    if any(max(each.size) > LARGEST_SIDE or min(each.size) < 1 for each in modules):
        return "no linear is so large"
    candidates = [*sorted({each.left[0] for each in modules}), -1]
    if not any(all(_divided_so(each, factor) for each in modules) for factor in candidates):
        return "no one factor divides all of its modules so"
    both = any(each.left_rank is not None for each in modules)
    for each in modules:
        rank = each.rank or each.left_rank or max(each.right)
        halves = both and 2 * rank < max(each.left), 2 * rank < max(each.right)
        if halves != (each.left_rank is not None, each.rank is not None):
            return "peft would make other matrices of these sizes and ranks"
    return ""


def _divided_so(parts: LokrParts, factor: int) -> bool:
    (a, b), (c, d) = parts.left, parts.right
    return factorization(a * c, factor) == (a, c) and factorization(b * d, factor) == (b, d)


def _is_diffusers(name: str, prefix: str) -> bool:
    """Whether it is diffusers' name after that prefix, with dots or underscores as the prefix has them."""
    bare = name.removeprefix(prefix)
    dotted = next(iter(modules_of(name)), "")
    return bare != name and bare == (dotted.replace(".", "_") if prefix.endswith("_") else dotted) and bool(dotted)


def _is_original(name: str, prefix: str) -> bool:
    """Whether it is BFL's name after that prefix."""
    bare = name.removeprefix(prefix)
    if bare == name or (prefix.endswith("_") and "." in bare):
        return False
    modules = modules_of(bare)
    return bool(modules) and modules[0].replace(".", "_") != bare.replace(".", "_")
