"""A LoRA or LoKr file written anew in another program's names, with the same ΔW for each module. Needs torch.

Where a format has no place for an alpha it is multiplied into B: exact where alpha / rank is a power of two. Where the
numbers of the file would round it, B is written in float32.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

from engine.errors import LimnerError, LoraFileError
from engine.lora.conversion import lokr
from engine.lora.conversion.names import sdxl_name
from engine.lora.file import LoraPair, read_contents, write_tensors
from engine.lora.fused import Matrices, put_together
from engine.lora.header import LoraHeader, context_width, read_header
from engine.lora.layouts import SDXL, SDXL_CONTEXT, Layout, Style, layout_named, made_for
from engine.lora.lokr import Lokr
from engine.lora.module_names import DENOISER, SDXL_LAYERS_PER_BLOCK, Part
from engine.storage.untrusted_files import parse_json

Pairs = Mapping[tuple[Part, str], LoraPair]

_DOWN_UP, _A_B = (".lora_down.weight", ".lora_up.weight"), (".lora_A.weight", ".lora_B.weight")

_OF_THE_OLD_BYTES = ("lora_adapter_metadata", "sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256")
"""Metadata that would be wrong beside other names and numbers."""


def convert(source: Path, target: Path, style: Style, *, overwrite: bool = False) -> int:
    """Writes ``source`` anew as ``target``. Returns how many modules it has.

    Args:
        source: a LoRA or LoKr in any names.
        target: the file to write.
        style: whose names it gets.
        overwrite: whether a file that is there may be replaced.

    Raises:
        LoraFileError: it can't be read, it is for no family that is known, something in it has no place in such a
            file, or there is a file already.
    """
    if target.suffix.lower() != ".safetensors":
        raise LoraFileError(f"{target} does not end in .safetensors", "name the new file so")
    if target.exists() and not overwrite:
        raise LoraFileError(f"{target} is there already", "choose another name, or replace it with --overwrite")
    header = read_header(source)
    family = made_for(header)
    if family is None:
        raise LoraFileError(
            f"{source.name} is for no base model that Limner knows the names of", "see: limner lora show"
        )
    layout = layout_named(family)
    layers = _layers_per_block(header)
    contents = read_contents(source, layers if family == SDXL else None)
    if contents.left_out:
        what = f"{source.name} has {len(contents.left_out)} modules that would be lost, such as {contents.left_out[0]}"
        raise LoraFileError(what, "see: limner lora show")
    pairs = {place: each for place, each in contents.modules.items() if isinstance(each, LoraPair)}
    lokrs = {place: each for place, each in contents.modules.items() if isinstance(each, Lokr)}
    if any(pair.magnitude is not None or pair.bias is not None for pair in pairs.values()):
        raise LoraFileError(f"{source.name} is a DoRA or has biases, which would be lost", "convert a plain LoRA")
    if layout is None:
        tensors = _sdxls(pairs, style, layers) | lokr.sdxls(lokrs, style, layers)
    else:
        tensors = _with_layout(pairs, style, layout) | lokr.with_layout(lokrs, style, layout)
    alphas = any(name.endswith(".alpha") for name in tensors)
    write_tensors(target, tensors, _metadata(header, alphas=alphas))
    return len(contents.modules)


def _layers_per_block(header: LoraHeader) -> int:
    """Of the U-Net. diffusers' names don't depend on it and the original's do: where a file has the former and is for a
    base of another size than SDXL's, the blocks that it has tell."""
    if context_width(header) in (None, SDXL_CONTEXT) or header.layers_per_block != SDXL_LAYERS_PER_BLOCK:
        return header.layers_per_block
    found = []
    for name in header.modules:
        if m := re.search(r"(down|up)_blocks[._]\d{1,3}[._](?:attentions|resnets)[._](\d{1,3})[._]", name):
            # A block on the way up has one more.
            found.append(int(m[2]) + (m[1] == "down"))
    return max(found, default=SDXL_LAYERS_PER_BLOCK) or SDXL_LAYERS_PER_BLOCK


def _sdxls(modules: Pairs, style: Style, layers_per_block: int) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for (part, module), pair in modules.items():
        name = sdxl_name(style, part, module, layers_per_block)
        if style is Style.DIFFUSERS:
            tensors |= _named(name, _A_B, (pair.down, _multiplied_in(pair)))
            continue
        tensors |= _named(name, _DOWN_UP, (pair.down, pair.up))
        tensors[f"{name}.alpha"] = torch.tensor(pair.alpha, dtype=torch.float32)
    return tensors


def _with_layout(modules: Pairs, style: Style, layout: Layout) -> dict[str, torch.Tensor]:
    """Without alphas, which other programs refuse or drop beside such names."""
    if style is Style.DIFFUSERS:
        tensors: dict[str, torch.Tensor] = {}
        for (_, module), pair in modules.items():
            tensors |= _named(f"{DENOISER}{module}", _A_B, (pair.down, _multiplied_in(pair)))
        return tensors
    parts: dict[str, list[Matrices | None]] = {}
    for (_, module), pair in modules.items():
        place = layout.original(module)
        if place is None:
            raise LoraFileError(f"{module} has no name in such files", f"convert it to {Style.DIFFUSERS}")
        name, number, count = place
        parts.setdefault(name, [None] * count)[number] = (pair.down, _multiplied_in(pair))
    tensors = {}
    for name, each in parts.items():
        try:
            matrices = each[0] if len(each) == 1 and each[0] is not None else put_together(each)
        except (ValueError, RuntimeError) as error:
            raise LoraFileError(
                f"what {name} is made of does not fit together ({error})", "use another file"
            ) from error
        if style is Style.KOHYA:
            tensors |= _named(f"lora_unet_{name.replace('.', '_')}", _DOWN_UP, matrices)
        else:
            tensors |= _named(f"diffusion_model.{name}", _A_B, matrices)
    return tensors


def _named(name: str, suffixes: tuple[str, str], matrices: Matrices) -> dict[str, torch.Tensor]:
    """A module's two tensors; a convolution's second has as many dimensions as its first."""
    down, up = matrices
    up = up.reshape(*up.shape, *[1] * (down.dim() - up.dim()))
    # Copies: a file may not hold one tensor under two names.
    return {name + suffixes[0]: down.clone().contiguous(), name + suffixes[1]: up.clone().contiguous()}


def _multiplied_in(pair: LoraPair) -> torch.Tensor:
    """``up`` times alpha / rank, in its own type of number where that holds it."""
    if pair.scale == 1:
        return pair.up
    product = pair.up.float() * pair.scale
    narrow = product.to(pair.up.dtype)
    return narrow if torch.equal(narrow.float(), product) else product


def _metadata(header: LoraHeader, *, alphas: bool) -> dict[str, str]:
    """The file's own metadata, without what is only true of its old bytes."""
    about = {key: value for key, value in header.metadata.items() if key not in _OF_THE_OLD_BYTES}
    if not alphas and "ss_network_alpha" in about and "ss_network_dim" in about:
        about["ss_network_alpha"] = about["ss_network_dim"]
    return about


def main() -> None:
    """The work of a process of its own: an order as JSON in its argument, the answer as JSON on standard output."""
    order = parse_json(sys.argv[1])
    try:
        source, target, style = Path(order["source"]), Path(order["target"]), Style(order["style"])
        answer: dict[str, object] = {"modules": convert(source, target, style, overwrite=bool(order["overwrite"]))}
    except LimnerError as error:
        answer = {"what": error.what, "fix": error.fix}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
