"""What diffusers makes of a LoRA file: which modules it loads, and at what scale. No torch.

As diffusers 0.42.1 does it (``loaders/lora_pipeline.py``, ``loaders/lora_conversion_utils.py``,
``utils/peft_utils.py``); tests run its real loader on each kind of file. It reads one of two ways: kohya's names, where
every tensor has one, or its own. Its patterns of alphas miss the modules that it renames after they were made.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.counting import many
from engine.errors import LoraFileError
from engine.lora.header import PAIRS, LoraHeader
from engine.lora.key_formats import PEFT, PIPELINE, PROJECTION, module_of
from engine.lora.module_names import Part
from engine.lora.scales import ADAPTERS, Alphas

KOHYA_NAMES = ("lora_te_", *Part)
ORIGINAL = ("input_blocks", "middle_block", "output_blocks")
RENAMED = ("down_blocks", "mid_block", "up_blocks")

_DOWN, _A, _LATER = PAIRS[0][0], PAIRS[1][0], ".lora.down.weight"


@dataclass(frozen=True)
class InDiffusers:
    """What becomes of a file."""

    fails: str = ""
    """Why it loads nothing and says so; empty: it does not fail."""
    scales: Mapping[str, float] = field(default_factory=dict)
    """The modules that it loads, as the file spells them, and what it multiplies each one's ΔW by."""


def in_diffusers(header: LoraHeader) -> InDiffusers:
    """What ``StableDiffusionXLPipeline.load_lora_weights`` makes of a file with an SDXL base."""
    tensors = [name for name in header.tensors if "dora_scale" not in name]
    if all(name.startswith(KOHYA_NAMES) for name in tensors):
        return _kohya(header, tensors)
    if odd := [name for name in tensors if "lora" not in name]:
        return InDiffusers(f"{many(len(odd), 'tensor')} without “lora” in the name, such as {odd[0]}")
    return _own(header, tensors)


def _kohya(header: LoraHeader, tensors: Sequence[str]) -> InDiffusers:
    names = [name for name in header.modules if f"{name}{_DOWN}" in header.tensors]
    known = {f"{name}{suffix}" for name in names for suffix in (*PAIRS[0], ".alpha")}
    if odd := [name for name in tensors if name not in known]:
        return InDiffusers(f"it does not know {many(len(odd), 'tensor')}, such as {odd[0]}")
    if "lora_adapter_metadata" in header.metadata and any(name.endswith(".alpha") for name in tensors):
        return InDiffusers("it takes alphas from tensors or from the adapter's metadata, not from both")
    if any(_is(name, ORIGINAL) for name in names) and any(_is(name, RENAMED) for name in names):
        # Of two ways to name blocks it drops the original's without a word.
        names = [name for name in names if not _is(name, ORIGINAL)]
    if beyond := [name for name in names if re.match(r"lora_unet_(input|output)_blocks_\d\d", name)]:
        return InDiffusers(f"SDXL has no block of that number: {beyond[0]}")
    places = {name: place for name in names if (place := _place(header, name)) and _reaches(name, *place)}
    scales: dict[str, float] = {}
    for part in Part:
        own = {name: module for name, (its, module) in sorted(places.items(), key=_in_turn) if its is part}
        if why := _projection_alone(header, own):
            return InDiffusers(why)
        scales |= _scales_by_tensors(header, part, own)
    return InDiffusers("", scales)


def _scales_by_tensors(header: LoraHeader, part: Part, own: Mapping[str, str]) -> dict[str, float]:
    """The scales of a part's modules: the commonest alpha for all whose own it loses or that have none."""
    alphas = {name: header.scalar(f"{name}.alpha") for name in own if f"{name}.alpha" in header.tensors}
    ranks = {name: header.modules[name][1] for name in own}
    if not alphas:
        return dict.fromkeys(own, 1.0)
    common = Counter(alphas.values()).most_common(1)[0][0]
    return {
        name: (alphas.get(name, common) if _keeps_its_alpha(part, module) else common) / ranks[name]
        for name, module in own.items()
    }


def _keeps_its_alpha(part: Part, module: str) -> bool:
    if part is Part.UNET:
        return re.search(r"\.attn\d\.to_", module) is None
    return module == PROJECTION or (part is Part.TE2 and ".mlp." in module)


def _own(header: LoraHeader, tensors: Sequence[str]) -> InDiffusers:
    scales: dict[str, float] = {}
    alphas = Alphas(header)
    for prefix, part in PIPELINE.items():
        mine = [name for name in tensors if name.startswith(prefix)]
        names = [name for name in header.modules if name.startswith(prefix)]
        if not mine:
            continue
        if any(PEFT in name or f"{name}.lora_A.default.weight" in header.tensors for name in names):
            return InDiffusers("it does not know the names that PEFT gives a model of its own")
        read = [name for name in names if _is_read(header, name, part, mine)]
        if not read:
            return InDiffusers(f"it knows none of the names that begin with {prefix}, such as {mine[0]}")
        places = {name: place[1] for name in read if (place := _place(header, name))}
        if "lora_adapter_metadata" in header.metadata:
            if not alphas.targets(part):
                return InDiffusers(f"its adapter's metadata does not say which modules of {ADAPTERS[part]} it is for")
            ranks = {name: header.modules[name][1] for name in places}
            scales |= {name: alphas.of(name, part, each, ranks[name]) / ranks[name] for name, each in places.items()}
            continue
        if why := _projection_alone(header, places):
            return InDiffusers(why)
        scales |= dict.fromkeys(places, 1.0)
    return InDiffusers("", scales)


def _is_read(header: LoraHeader, name: str, part: Part, mine: Sequence[str]) -> bool:
    """Whether it understands how a module's two matrices are named, beside the others of its part."""
    newer = f"{name}{_A}" in header.tensors
    processor = f"{name}_lora.down.weight" in header.tensors and name.endswith((".to_q", ".to_k", ".to_v", ".to_out"))
    if part is not Part.UNET:
        return newer or processor or f"{name}.lora_linear_layer.down.weight" in header.tensors
    # It renames all of them or none, as the first one says.
    return newer or ("lora_A" not in mine[0] and (processor or f"{name}{_LATER}" in header.tensors))


def _projection_alone(header: LoraHeader, own: Mapping[str, str]) -> str:
    """Why a part can't be loaded for its projection: it is given the rank of the others, whatever its own is."""
    ranks = {name: header.modules[name][1] for name in own}
    projections = [name for name, module in own.items() if module == PROJECTION]
    others = [rank for name, rank in ranks.items() if name not in projections]
    if not projections:
        return ""
    if not others:
        return "it can't load a LoRA of text_projection alone"
    common = Counter(others).most_common(1)[0][0]
    return "" if ranks[projections[0]] == common else "it gives text_projection the rank of the text encoder's others"


def _place(header: LoraHeader, name: str) -> tuple[Part, str] | None:
    try:
        return module_of(name, header.layers_per_block)
    except LoraFileError:
        return None


def _reaches(name: str, part: Part, module: str) -> bool:
    """Whether its renaming of a kohya name ends at the module that is meant."""
    if part is Part.TE2 and module != PROJECTION:
        return "text_model" in name
    return not (module.startswith("add_embedding") and "add_embedding" in name)


def _is(name: str, blocks: Sequence[str]) -> bool:
    return any(block in name for block in blocks)


def _in_turn(named: tuple[str, object]) -> tuple[int, int]:
    """Its order of modules: the original's blocks last, by number; among equally common alphas the first one counts."""
    m = re.match(r"lora_unet_(input_blocks|middle_block|output_blocks)_(\d+)_", named[0])
    if m is None or named[0].startswith("lora_unet_input_blocks_0_0"):
        return 0, 0
    return 1 + ORIGINAL.index(m[1]), int(m[2])
