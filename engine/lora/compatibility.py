"""What the programs that people paint with will make of a LoRA file, and the trainer that may go on with it.

The rules are read from their sources: ComfyUI ``comfy/lora.py``, A1111 ``extensions-builtin/Lora/network.py`` and
``networks.py``, Forge ``extensions-builtin/sd_forge_lora/networks.py``, InvokeAI
``backend/patches/lora_conversions/sdxl_lora_conversion_utils.py``, diffusers ``loaders/lora_pipeline.py``, kohya's
sd-scripts ``networks/lora.py``.
"""

from __future__ import annotations

import math

from engine.counting import many
from engine.errors import LoraFileError
from engine.lora.diffusers_loader import in_diffusers
from engine.lora.header import MAGNITUDES, SCALED, LoraHeader, context_width
from engine.lora.key_formats import PROCESSOR, has_diffusers_blocks, is_beside_the_blocks, module_of
from engine.lora.layouts import ONE_ENCODER, SDXL_CONTEXT, layout_named, made_for, module_counts
from engine.lora.module_names import Part, kohya_name, sdxl_modules
from engine.lora.scales import Alphas

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


BY_LYCORIS = "continues it only with network_module=lycoris.kohya, the package lycoris-lora"
"""What becomes of LyCORIS' networks there."""


def clients(header: LoraHeader) -> dict[str, str]:
    """What each program will make of the file, one sentence a program."""
    if (layout := layout_named(made_for(header))) is not None:
        return layout.clients(header)
    return {**_of_sdxls(header), "SwarmUI": "not known"}


def _of_sdxls(header: LoraHeader) -> dict[str, str]:
    """The same of a file that is for SDXL, or for nobody known."""
    if header.other_networks:
        return _others(header)
    if (why := _for_another_base(header)) is not None:
        return dict.fromkeys((*PAINTERS, TRAINER), why)
    width = context_width(header)
    if width not in (None, SDXL_CONTEXT):
        why = f"does not fit SDXL: made for a base whose text is {width} wide, SDXL's is {SDXL_CONTEXT}"
        said = _diffusers(header)
        into = said if said.startswith(("fails", "loads nothing")) else f"{said}, into such a base only"
        return {**dict.fromkeys((*PAINTERS, TRAINER), why), "diffusers": into}
    if not any(map(_is_sdxls, header.modules)):
        why = f"does not fit SDXL: none of its {len(header.modules)} modules is one of SDXL's"
        return dict.fromkeys((*PAINTERS, TRAINER), why)
    if misfits := _misfits(header):
        why = f"does not fit SDXL: {many(len(misfits), 'module')} of other sizes than SDXL's, such as {misfits[0]}"
        return dict.fromkeys((*PAINTERS, TRAINER), why)
    return {
        "A1111": _a1111(header),
        "Forge": _forge(header),
        "ComfyUI": _comfy(header),
        "InvokeAI": _invoke(header),
        "diffusers": _diffusers(header),
        TRAINER: _sd_scripts(header),
    }


def here(header: LoraHeader) -> str:
    """What Limner's own painter makes of the file, one sentence."""
    if header.other_networks:
        kinds = ", ".join(f"{count} {kind}" for kind, count in header.other_networks.items())
        return f"refuses it: another network ({kinds})"
    total, strange = len(header.modules), module_counts(header)["unknown"]
    known, unknown = total - strange, strange + len(header.useless_tensors())
    scales = ", with their DoRA scales" if header.dora_modules else ""
    without = f"; {unknown} that it does not know are left out, with a message" if unknown else ""
    return f"applies {known} of {total} modules{scales}, each at its own scale{without}"


def _for_another_base(header: LoraHeader) -> str | None:
    """Why no module of the file is one of SDXL's, where that can be told by their names."""
    if any(name.startswith(ONE_ENCODER) for name in header.modules):
        return "does not fit SDXL: made for Stable Diffusion 1 or 2, which have one text encoder"
    unet = [name for name in header.modules if not name.startswith((Part.TE1, Part.TE2))]
    if unet and all(name.startswith(NO_UNET) and not _is_sdxls(name) for name in unet):
        return "does not fit SDXL: made for a model without a U-Net, such as Flux"
    return None


def _others(header: LoraHeader) -> dict[str, str]:
    """What becomes of LyCORIS' networks that are neither LoRA nor LoKr."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in header.other_networks.items())
    more = f" beside {len(header.modules)} LoRA modules" if header.modules else ""
    knows = set(header.other_networks) <= {"LoHa", SCALED, "full weights"}
    loads = f"has code for such networks ({kinds} modules{more}); how many fit SDXL is not checked here"
    unsure = f"not known of {kinds}{more}"
    told = dict.fromkeys(("A1111", "Forge", "ComfyUI", "InvokeAI"), loads if knows else unsure)
    return {**told, "diffusers": f"refuses it: {kinds}{more}", TRAINER: BY_LYCORIS}


def _is_sdxls(name: str) -> bool:
    """Whether SDXL has a module, however it is spelt."""
    try:
        part, module = module_of(name)
    except LoraFileError:
        return False
    # LoCon files hold convolutions besides the linears; SDXL has residual blocks in all of its blocks.
    of_any_size = is_beside_the_blocks(module) or ".resnets." in module or module.endswith(".conv")
    return of_any_size or kohya_name(module, part) in sdxl_modules()


def _sdxl_name(name: str) -> str | None:
    """SDXL's own name of a linear in its blocks, in kohya's layout; None for anything else."""
    try:
        part, module = module_of(name)
        return kohya_name(module, part)
    except LoraFileError:
        return None


def _misfits(header: LoraHeader) -> list[str]:
    """Modules that SDXL has in another size."""
    found = []
    for name, (inputs, _, outputs) in header.modules.items():
        size = sdxl_modules().get(_sdxl_name(name) or "")
        if size is not None and size != (inputs, outputs):
            found.append(name)
    return found


def _is_kohyas(name: str) -> bool:
    """Whether it is SDXL's module by kohya's name, the text encoders' whole as the programs want it."""
    whole = name.startswith((Part.UNET, f"{Part.TE1}text_", f"{Part.TE2}text_"))
    return whole and "." not in name and _is_sdxls(name)


def _is_comfys(name: str) -> bool:
    """Whether ComfyUI and Forge find it: kohya's names, LyCORIS', the attention processors' and their own."""
    own = name.startswith(("diffusion_model.", "text_encoders.")) or PROCESSOR in name
    lycoris = name.startswith(tuple(f"lycoris_{block}" for block in ("down_", "mid_", "up_")))
    return _is_kohyas(name) or ((own or lycoris) and _is_sdxls(name))


def _a1111(header: LoraHeader) -> str:
    matched, total = sum(map(_is_kohyas, header.modules)), len(header.modules)
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
    matched, total = sum(map(_is_comfys, header.modules)), len(header.modules)
    # LoCon's third matrix and DoRA's scale go with their modules.
    stray = header.useless_tensors()
    per_module = (len(header.tensors) - len(header.stray_tensors())) / total
    unmatched = round((total - matched) * per_module) + len(stray)
    if unmatched > FORGE_TOLERATES:
        return f"refuses it: {unmatched} tensors match nothing, more than {FORGE_TOLERATES}"
    return f"loads {matched} of {total} modules"


def _comfy(header: LoraHeader) -> str:
    matched, total = sum(map(_is_comfys, header.modules)), len(header.modules)
    if matched == total:
        return f"loads {matched} of {total} modules"
    return f"loads {matched} of {total} modules; the rest only appears in its log (lora key not loaded)"


def _invoke(header: LoraHeader) -> str:
    if not header.kohya:
        return "fails: it knows kohya's names only"
    return f"loads {sum(map(_is_kohyas, header.modules))} of {len(header.modules)} modules"


def _diffusers(header: LoraHeader) -> str:
    told = in_diffusers(header)
    if told.fails:
        return f"fails: {told.fails}"
    total, loaded = len(header.modules), len(told.scales)
    if not loaded:
        return "loads nothing, with a line in its log: no name begins with unet. or text_encoder."
    count = f"{loaded}" if loaded == total else f"{loaded} of {total}"
    dropped = sum(name.endswith(MAGNITUDES[0]) for name in header.tensors)
    if dropped:
        return f"loads {count} modules without their DoRA scales ({dropped} of them): another picture"
    alphas = Alphas(header)
    wrong = sum(
        not math.isclose(scale, alphas.of(name, *module_of(name, header.layers_per_block), rank) / rank, rel_tol=1e-3)
        for name, scale in told.scales.items()
        for rank in (header.modules[name][1],)
    )
    if wrong:
        return f"loads {count} modules, {wrong} of them at another scale than the file says: another picture"
    scales = set(told.scales.values())
    return f"loads {count} modules, " + (f"at scale {scales.pop():g}" if len(scales) == 1 else "each at its own scale")


def _sd_scripts(header: LoraHeader) -> str:
    """By --network_weights; what it finds no place for is told in its log alone."""
    total = len(header.modules)
    if header.lokr:
        return BY_LYCORIS
    if not header.kohya:
        return "can't continue it: it only knows kohya's names"
    found = sum(_is_kohyas(name) and not has_diffusers_blocks(name) for name in header.modules)
    without = " (DoRA scales left out)" if header.dora_modules else ""
    if found == total:
        return f"continues {found} of {total} modules{without}"
    return f"continues {found} of {total} modules{without}; the rest only appears in its log, and starts over"
