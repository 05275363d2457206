"""For which family of base models a LoRA file was made, and how files name a family's modules. No torch.

SDXL's names are in ``key_formats.py``. Another family names a ``Layout`` in its ``Family.lora_layout``; the names of
one that has none are dotted and say themselves where they belong.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from engine.errors import LoraFileError
from engine.lora.header import LoraHeader, context_width
from engine.lora.key_formats import module_in_file
from engine.lora.module_names import DENOISER, Part
from engine.models.family import Family
from engine.models.registry import FAMILIES, family_named

SDXL = FAMILIES[0].name

SDXL_CONTEXT = 2048
"""The width of the text that SDXL's cross-attention reads."""

ONE_ENCODER = "lora_te_"
"""kohya's prefix for the text encoder of models that have one: Stable Diffusion 1 and 2."""

OLDER_WIDTHS = (768, 1024)
"""The widths of text in Stable Diffusion 1 and 2, whose U-Nets have the same names in part."""


NOT_KNOWN = "not known"

UNASKED = ("A1111", "Forge", "SwarmUI", "sd-scripts")
"""Programs of which nothing is known where a family is not SDXL."""


class Style(StrEnum):
    """Whose names a LoRA file has."""

    KOHYA = "kohya"
    DIFFUSERS = "diffusers"
    COMFYUI = "comfyui"


@dataclass(frozen=True)
class Layout:
    """How LoRA files name the modules of a family whose names are not SDXL's."""

    modules: Callable[[str], tuple[str, ...]]
    """diffusers' names of what a file calls so: several where it has one linear for them, none where it is no such."""
    is_of: Callable[[LoraHeader], bool]
    """Whether a file was surely made for this family."""
    original: Callable[[str], tuple[str, int, int] | None]
    """The name of diffusers' module in the family's original code, which part of it the module is, and of how many;
    None where it has none."""
    clients: Callable[[LoraHeader], dict[str, str]]
    """What other programs make of a file for this family, one sentence a program."""


def layout_of(family: Family) -> Layout | None:
    """The layout of a family; None where it has none of its own."""
    if family.lora_layout is None:
        return None
    module, name = family.lora_layout.split(":")
    layout = getattr(importlib.import_module(module), name)
    assert isinstance(layout, Layout)
    return layout


def layout_named(name: str | None) -> Layout | None:
    """The layout of a family of that name; None where there is none."""
    return layout_of(family_named(name)) if name is not None else None


def made_for(header: LoraHeader) -> str | None:
    """The name of the family that a file was made for; None where it does not show."""
    for family in FAMILIES:
        layout = layout_of(family)
        if layout is not None and layout.is_of(header):
            return family.name
    if any(name.startswith(ONE_ENCODER) for name in header.modules) or context_width(header) in OLDER_WIDTHS:
        return None
    return SDXL if header.part_counts()["unknown"] * 2 < len(header.modules) else None


def title_of(name: str | None) -> str:
    """A family as people call it."""
    return "unknown" if name is None else family_named(name).title


def says_in_header(header: LoraHeader, name: re.Pattern[str]) -> bool:
    """Whether a file names a base model in its metadata; the pattern is for lower-case letters and digits alone."""
    said = " ".join(header.metadata.get(key, "") for key in ("ss_base_model_version", "modelspec.architecture"))
    return name.search(re.sub(r"[^a-z0-9]", "", said[:200].lower())) is not None


def told_of_other_networks(header: LoraHeader) -> dict[str, str]:
    """What programs make of networks that are no LoRA, of transformers."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in header.other_networks.items())
    told = dict.fromkeys((*UNASKED, "ComfyUI"), NOT_KNOWN)
    return told | dict.fromkeys(("InvokeAI", "diffusers"), f"not known of {kinds}")


def module_counts(header: LoraHeader) -> dict[str, int]:
    """How many modules a file has for each part of the base model, those that it does not know included."""
    layout = layout_named(made_for(header))
    if layout is None:
        return header.part_counts()
    known = sum(bool(layout.modules(name)) for name in header.modules)
    return {DENOISER.removesuffix("."): known, "unknown": len(header.modules) - known}


def places(name: str, layers_per_block: int | None) -> tuple[Part, tuple[str, ...]]:
    """The part and the dotted names of the modules that a file has under a name: several where it has one linear for
    them.

    Args:
        name: as the file spells it, without what follows the module's name.
        layers_per_block: of a U-Net like SDXL's; None: a family with other names.

    Raises:
        LoraFileError: it is no module of such a base model.
    """
    if layers_per_block is None:
        for layout in filter(None, map(layout_of, FAMILIES)):
            if found := layout.modules(name):
                return Part.UNET, found
    part, module = module_in_file(name, layers_per_block)
    return part, (module,)


def refuse_another_family(header: LoraHeader, layers_per_block: int | None, wanted: str | None) -> None:
    """Refuses a file that can be told to be for another kind of base model than is asked for.

    Args:
        header: the file's.
        layers_per_block: of a U-Net like SDXL's; None: a family with other names.
        wanted: the name of the base model's family; None: any with such names.

    Raises:
        LoraFileError: it is for another family.
    """
    family = made_for(header)
    fits = family == wanted if wanted is not None else (family == SDXL) == (layers_per_block is not None)
    if family is None or fits:
        return
    title = title_of(family)
    what = f"{header.path.name} was made for {title}, and this base model is of another family"
    raise LoraFileError(what, f"use it with a base model of {title}")
