"""What the programs that people paint with will make of a LoRA file.

The rules are read from their sources: ComfyUI ``comfy/lora.py``, A1111 ``extensions-builtin/Lora/network.py`` and
``networks.py``, Forge ``extensions-builtin/sd_forge_lora/networks.py``, InvokeAI
``backend/patches/lora_conversions/sdxl_lora_conversion_utils.py``, diffusers ``loaders/lora_pipeline.py``.
"""

from __future__ import annotations

from enum import Enum, auto

from engine.errors import LoraFileError
from engine.training.lora_header import LoraHeader, has_diffusers_blocks
from engine.training.lora_names import Part, diffusers_name, sdxl_modules

SDXL_CONTEXT = 2048
"""The width of the text that SDXL's cross-attention reads."""

ONE_ENCODER = "lora_te_"
"""kohya's prefix for the text encoder of models that have one."""

FORGE_TOLERATES = 12
"""How many unmatched tensors Forge lets pass before it refuses the file."""


class Layout(Enum):
    """How a file spells its modules."""

    SGM = auto()
    """kohya's prefixes and the original SDXL's block names."""
    UNDERSCORED = auto()
    """kohya's prefixes and diffusers' block names."""
    DOTTED = auto()
    """diffusers' and PEFT's own spelling."""


def layout(header: LoraHeader) -> Layout:
    """How the file spells its modules."""
    if not header.kohya:
        return Layout.DOTTED
    return Layout.UNDERSCORED if any(map(has_diffusers_blocks, header.modules)) else Layout.SGM


def context_width(header: LoraHeader) -> int | None:
    """The width of the text that the file's cross-attention reads: 2048 for SDXL; None where it has none."""
    for name, (inputs, _, _) in header.modules.items():
        if name.endswith(("attn2_to_k", "attn2.to_k", "attn2.processor.to_k")):
            return inputs
    return None


def clients(header: LoraHeader) -> dict[str, str]:
    """What each program will make of the file, one sentence a program."""
    if header.other_networks:
        return _others(header)
    if any(name.startswith(ONE_ENCODER) for name in header.modules):
        why = "does not fit SDXL: made for Stable Diffusion 1 or 2, which have one text encoder"
        return dict.fromkeys(("A1111", "Forge", "ComfyUI", "InvokeAI", "diffusers"), why)
    if all(name.startswith(("transformer.", "diffusion_model.", "lora_transformer_")) for name in header.modules):
        why = "does not fit SDXL: made for a model without a U-Net"
        return dict.fromkeys(("A1111", "Forge", "ComfyUI", "InvokeAI", "diffusers"), why)
    width = context_width(header)
    if width not in (None, SDXL_CONTEXT):
        why = f"does not fit SDXL: made for a base whose text is {width} wide, SDXL's is {SDXL_CONTEXT}"
        into = f"{_diffusers(header)}, into such a base only"
        return {**dict.fromkeys(("A1111", "Forge", "ComfyUI", "InvokeAI"), why), "diffusers": into}
    return {
        "A1111": _a1111(header),
        "Forge": _forge(header),
        "ComfyUI": _comfy(header),
        "InvokeAI": _invoke(header),
        "diffusers": _diffusers(header),
    }


def _others(header: LoraHeader) -> dict[str, str]:
    """What becomes of LyCORIS' networks that are no LoRA."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in header.other_networks.items())
    more = f" beside {len(header.modules)} LoRA modules" if header.modules else ""
    knows = set(header.other_networks) <= {"LoHa", "LoKr", "full weights"}
    loads = f"has code for such networks ({kinds} modules{more}); how many fit SDXL is not checked here"
    unsure = f"not known of {kinds}{more}"
    told = dict.fromkeys(("A1111", "Forge", "ComfyUI", "InvokeAI"), loads if knows else unsure)
    return {**told, "diffusers": f"fails or leaves them out: {kinds}{more}"}


def _matched(header: LoraHeader) -> int:
    """How many modules the programs built on SDXL's original names find."""
    if layout(header) is Layout.DOTTED:
        return 0
    known = sdxl_modules()
    return sum(name in known or has_diffusers_blocks(name) or _is_conv(name) for name in header.modules)


def _is_conv(name: str) -> bool:
    """Whether it is one of the U-Net's convolutions, which LoCon files hold besides the linears."""
    try:
        return name.startswith(Part.UNET) and bool(diffusers_name(name))
    except LoraFileError:
        return False


def _a1111(header: LoraHeader) -> str:
    matched, total = _matched(header), len(header.modules)
    if not matched:
        return "loads nothing: it knows kohya's names only"
    loads = f"loads {matched} of {total} modules"
    if halves := _half_attentions(header):
        loads += f", leaves out {halves} attention layers of text encoder 2 that lack one of q, k, v, out"
    if not header.metadata:
        return f"{loads}, shown with every model (no metadata)"
    if header.metadata.get("ss_base_model_version", "").startswith("sdxl_"):
        return f"{loads}, shown as SDXL"
    return f"{loads}, but hides it while an SDXL model is in use (ss_base_model_version does not say sdxl)"


def _half_attentions(header: LoraHeader) -> int:
    """Attention layers of text encoder 2 that lack one of their four linears: A1111 skips those in silence."""
    leaves: dict[str, int] = {}
    for name in header.modules:
        if name.startswith("lora_te2_") and "_self_attn_" in name:
            layer = name.split("_self_attn_")[0]
            leaves[layer] = leaves.get(layer, 0) + 1
    return sum(count < 4 for count in leaves.values())


def _forge(header: LoraHeader) -> str:
    matched, total = _matched(header), len(header.modules)
    per_module = len(header.tensors) / total
    # LoCon's third matrix and DoRA's scale go with their modules.
    stray = [name for name in header.stray_tensors() if not name.endswith((".lora_mid.weight", ".dora_scale"))]
    unmatched = round((total - matched) * per_module) + len(stray)
    if unmatched > FORGE_TOLERATES:
        return f"refuses it: {unmatched} tensors match nothing, more than {FORGE_TOLERATES}"
    return f"loads {matched} of {total} modules"


def _comfy(header: LoraHeader) -> str:
    matched, total = _matched(header), len(header.modules)
    if matched == total:
        return f"loads {matched} of {total} modules"
    return f"loads {matched} of {total} modules; the rest only as lines in its log (lora key not loaded)"


def _invoke(header: LoraHeader) -> str:
    if layout(header) is Layout.DOTTED:
        return "fails: it knows kohya's names only"
    return f"loads {_matched(header)} of {len(header.modules)} modules"


def _diffusers(header: LoraHeader) -> str:
    total, rank, alpha = len(header.modules), header.rank or 1, header.alpha
    if layout(header) is Layout.DOTTED:
        old = sum(f"{name}.lora.down.weight" in header.tensors for name in header.modules)
        if old:
            return f"finds only attention layers of {total} modules, at scale 1"
        return f"loads {total} modules, at scale 1 unless the adapter's settings came with it"
    if header.dora_modules:
        return f"loads {total} modules without their DoRA scales ({header.dora_modules} of them): another picture"
    scale = 1.0 if alpha is None else alpha / rank
    known = total - header.part_counts()["unknown"]
    if known < total:
        return f"fails: {total - known} modules have names that it does not know"
    return f"loads {total} modules, at scale {scale:g}"
