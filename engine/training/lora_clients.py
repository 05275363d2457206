"""What the programs that people paint with will make of a LoRA file, and the trainer that may go on with it.

The rules are read from their sources: ComfyUI ``comfy/lora.py``, A1111 ``extensions-builtin/Lora/network.py`` and
``networks.py``, Forge ``extensions-builtin/sd_forge_lora/networks.py``, InvokeAI
``backend/patches/lora_conversions/sdxl_lora_conversion_utils.py``, diffusers ``loaders/lora_pipeline.py``, kohya's
sd-scripts ``networks/lora.py``.
"""

from __future__ import annotations

from enum import Enum, auto

from engine.errors import LoraFileError
from engine.training.lora_header import LoraHeader
from engine.training.lora_names import Part, kohya_name, sdxl_modules
from engine.training.lora_spelling import PEFT, PIPELINE, PROCESSOR, has_diffusers_blocks, module_of

SDXL_CONTEXT = 2048
"""The width of the text that SDXL's cross-attention reads."""

ONE_ENCODER = "lora_te_"
"""kohya's prefix for the text encoder of models that have one."""

NO_UNET = (
    *("transformer.", "diffusion_model.", "lora_transformer_"),
    *(f"{Part.UNET}{block}" for block in ("double_blocks", "single_blocks", "joint_blocks", "blocks_", "layers_")),
)
"""What modules of models without a U-Net begin with: Flux, Stable Diffusion 3 and the like."""

FORGE_TOLERATES = 12
"""How many unmatched tensors Forge lets pass before it refuses the file."""

PAINTERS = ("A1111", "Forge", "ComfyUI", "InvokeAI", "diffusers")
TRAINER = "sd-scripts"
"""Which goes on with a file by ``--network_weights FILE --dim_from_weights``."""


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
    if (why := _for_another_base(header)) is not None:
        return dict.fromkeys((*PAINTERS, TRAINER), why)
    width = context_width(header)
    if width not in (None, SDXL_CONTEXT):
        why = f"does not fit SDXL: made for a base whose text is {width} wide, SDXL's is {SDXL_CONTEXT}"
        into = f"{_diffusers(header)}, into such a base only"
        return {**dict.fromkeys((*PAINTERS, TRAINER), why), "diffusers": into}
    if all(_sdxl_name(name) is None for name in header.modules):
        why = f"does not fit SDXL: none of its {len(header.modules)} modules is one of SDXL's"
        return dict.fromkeys((*PAINTERS, TRAINER), why)
    if misfits := _misfits(header):
        why = f"does not fit SDXL: {len(misfits)} modules have other sizes than SDXL's, such as {misfits[0]}"
        return dict.fromkeys((*PAINTERS, TRAINER), why)
    return {
        "A1111": _a1111(header),
        "Forge": _forge(header),
        "ComfyUI": _comfy(header),
        "InvokeAI": _invoke(header),
        "diffusers": _diffusers(header),
        TRAINER: _sd_scripts(header),
    }


def _for_another_base(header: LoraHeader) -> str | None:
    """Why no module of the file is one of SDXL's, where that can be told by their names."""
    if any(name.startswith(ONE_ENCODER) for name in header.modules):
        return "does not fit SDXL: made for Stable Diffusion 1 or 2, which have one text encoder"
    unet = [name for name in header.modules if not name.startswith((Part.TE1, Part.TE2))]
    if unet and all(name.startswith(NO_UNET) for name in unet):
        return "does not fit SDXL: made for a model without a U-Net, such as Flux"
    return None


def _others(header: LoraHeader) -> dict[str, str]:
    """What becomes of LyCORIS' networks that are no LoRA."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in header.other_networks.items())
    more = f" beside {len(header.modules)} LoRA modules" if header.modules else ""
    knows = set(header.other_networks) <= {"LoHa", "LoKr", "full weights"}
    loads = f"has code for such networks ({kinds} modules{more}); how many fit SDXL is not checked here"
    unsure = f"not known of {kinds}{more}"
    told = dict.fromkeys(("A1111", "Forge", "ComfyUI", "InvokeAI"), loads if knows else unsure)
    goes_on = "goes on with it only by network_module=lycoris.kohya, the package lycoris-lora"
    return {**told, "diffusers": f"refuses it: {kinds}{more}", TRAINER: goes_on}


def _sdxl_name(name: str) -> str | None:
    """SDXL's own name of a module, in kohya's layout; None for one that SDXL has not."""
    try:
        part, module = module_of(name)
        named = kohya_name(module, part)
    except LoraFileError:
        return None
    # LoCon files hold convolutions besides the linears; SDXL has residual blocks in all of its blocks.
    return named if named in sdxl_modules() or ".resnets." in module or module.endswith(".conv") else None


def _misfits(header: LoraHeader) -> list[str]:
    """Modules that SDXL has in another size."""
    found = []
    for name, (inputs, _, outputs) in header.modules.items():
        size = sdxl_modules().get(_sdxl_name(name) or "")
        if size is not None and size != (inputs, outputs):
            found.append(name)
    return found


def _matched(header: LoraHeader, processors: bool = False) -> int:
    """How many modules the programs built on SDXL's original names find.

    Args:
        header: of the file.
        processors: whether they know the names of diffusers' attention processors.
    """
    if layout(header) is Layout.DOTTED:
        known = [name for name in header.modules if processors and PROCESSOR in name]
    else:
        known = list(header.modules)
    return sum(_sdxl_name(name) is not None for name in known)


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
    matched, total = _matched(header, processors=True), len(header.modules)
    # LoCon's third matrix and DoRA's scale go with their modules.
    stray = [name for name in header.stray_tensors() if not name.endswith((".lora_mid.weight", ".dora_scale"))]
    per_module = (len(header.tensors) - len(header.stray_tensors())) / total
    unmatched = round((total - matched) * per_module) + len(stray)
    if unmatched > FORGE_TOLERATES:
        return f"refuses it: {unmatched} tensors match nothing, more than {FORGE_TOLERATES}"
    return f"loads {matched} of {total} modules"


def _comfy(header: LoraHeader) -> str:
    matched, total = _matched(header, processors=True), len(header.modules)
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
        return _diffusers_dotted(header)
    if header.dora_modules:
        return f"loads {total} modules without their DoRA scales ({header.dora_modules} of them): another picture"
    scale = 1.0 if alpha is None else alpha / rank
    known = total - header.part_counts()["unknown"]
    if known < total:
        return f"fails: {total - known} modules have names that it does not know"
    return f"loads {total} modules, at scale {scale:g}"


def _diffusers_dotted(header: LoraHeader) -> str:
    """diffusers' own spellings, as diffusers 0.42.1 was seen to read them."""
    total = len(header.modules)
    ours = [name for name in header.modules if name.startswith(tuple(PIPELINE))]
    if not ours:
        return "loads nothing, with a line in its log: no name begins with unet. or text_encoder."
    if any(PEFT in name or f"{name}.lora_A.default.weight" in header.tensors for name in ours):
        return "fails: it does not know the names that PEFT gives a model of its own"
    scale = "at its adapter's scale" if "lora_adapter_metadata" in header.metadata else "at scale 1"
    newer = sum(f"{name}.lora_A.weight" in header.tensors for name in ours)
    if 0 < newer < total:
        return f"loads {newer} of {total} modules, {scale}: two spellings are mixed, and it reads one"
    return f"loads {len(ours)} of {total} modules, {scale}"


def _sd_scripts(header: LoraHeader) -> str:
    """By --network_weights; what it finds no place for is told in its log alone."""
    total = len(header.modules)
    if layout(header) is Layout.DOTTED:
        return "can't go on with it: it knows kohya's names only"
    found = sum(_sdxl_name(name) is not None and not has_diffusers_blocks(name) for name in header.modules)
    without = " (DoRA scales left out)" if header.dora_modules else ""
    if found == total:
        return f"goes on with {found} of {total} modules{without}"
    return f"goes on with {found} of {total} modules{without}; the rest only as lines in its log, and begins anew"
