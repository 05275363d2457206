"""Writing LoRA and LoKr files in kohya's layout, and reading them in every layout. Needs torch; headers don't.

Whoever wants a LoRA's numbers (painting, a run that starts from one) reads them here: each module with its own rank and
alpha, so that nothing depends on what most of the others have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from engine.errors import LoraFileError
from engine.lora.fused import taken_apart
from engine.lora.header import BIASES, MAGNITUDES, MID, PAIRS, SCALAR, LoraHeader, read_header
from engine.lora.layouts import places, refuse_another_family
from engine.lora.lokr import Lokr, lokr_of, lokrs_of_peft, shared
from engine.lora.metadata import LoraFacts, metadata
from engine.lora.module_names import DENOISER, SDXL_LAYERS_PER_BLOCK, Part, name_in_file
from engine.lora.scales import Alphas
from engine.storage import atomic_files


@dataclass(frozen=True)
class LoraPair:
    """One module's LoRA: ΔW = up · down · alpha / rank."""

    down: torch.Tensor
    """[rank, inputs], of a convolution [rank, inputs, height, width]."""
    up: torch.Tensor
    """[outputs, rank]"""
    alpha: float
    magnitude: torch.Tensor | None = None
    """DoRA's: the length that each row of W + ΔW gets, [outputs, 1], or each column, [1, inputs]."""
    bias: torch.Tensor | None = None
    """[outputs], added to what ``up`` gives, and scaled with it."""

    @property
    def rank(self) -> int:
        """The rank."""
        return int(self.down.shape[0])

    @property
    def scale(self) -> float:
        """What up · down is multiplied by."""
        return self.alpha / self.rank

    def delta(self) -> torch.Tensor:
        """ΔW, [outputs, inputs], of a convolution [outputs, inputs, height, width], in float32; of a DoRA before its
        scales."""
        flat = self.up.float() @ self.down.float().flatten(1) * self.scale
        return flat.reshape(self.up.shape[0], *self.down.shape[1:])


Modules = Mapping[tuple[Part, str], LoraPair | Lokr]
"""Part and diffusers' module name to that module's LoRA or LoKr."""


@dataclass(frozen=True)
class LoraContents:
    """All that a file holds."""

    modules: Modules
    left_out: tuple[str, ...]
    """What is no module of the base model's architecture, or only a part of one, as the file spells it."""


def modules_of_peft(
    state: Mapping[str, torch.Tensor], alpha: float, part: Part = Part.UNET
) -> dict[tuple[Part, str], LoraPair | Lokr]:
    """A model's LoRA or LoKr from ``lora_state``; what it takes and raises is as in ``pairs_of_peft``."""
    if any(".lokr_" in name for name in state):
        return {(part, module): lokr for module, lokr in lokrs_of_peft(state, alpha).items()}
    return dict(pairs_of_peft(state, alpha, part))


def pairs_of_peft(
    state: Mapping[str, torch.Tensor], alpha: float, part: Part = Part.UNET
) -> dict[tuple[Part, str], LoraPair]:
    """A model's LoRA from ``peft.get_peft_model_state_dict``.

    Args:
        state: ``MODULE.lora_A.weight`` [rank, inputs] and ``MODULE.lora_B.weight`` [outputs, rank].
        alpha: the adapter's alpha.
        part: the model.

    Raises:
        LoraFileError: a tensor that is neither, or one without its other half.
    """
    suffixes = (".lora_A.weight", ".lora_B.weight")
    if stray := [name for name in state if not name.endswith(suffixes)]:
        raise LoraFileError(f"{stray[0]} can't be stored in a kohya LoRA", "train a plain LoRA")
    pairs: dict[tuple[Part, str], LoraPair] = {}
    for module in dict.fromkeys(name[: -len(suffixes[0])] for name in state):
        halves = [state.get(module + suffix) for suffix in suffixes]
        if halves[0] is None or halves[1] is None:
            raise LoraFileError(f"{module} has only half of its LoRA", "save the whole adapter")
        pairs[part, module] = LoraPair(halves[0], halves[1], alpha)
    return pairs


def write_lora(
    path: Path,
    modules: Modules,
    facts: LoraFacts,
    layers_per_block: int | None = SDXL_LAYERS_PER_BLOCK,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Writes a LoRA or LoKr so that every program that knows its kind loads the whole of it.

    The file comes into being at once: under a temporary name, synced, then renamed.

    Args:
        path: the file.
        modules: what it is to hold.
        facts: what its header tells.
        layers_per_block: of the base model's U-Net; None: its family's files have dotted names.
        dtype: of the numbers.

    Raises:
        LoraFileError: a module has no name in such a file, or the disk refuses.
    """
    if layers_per_block is None:
        tensors = {name: each.to(dtype) for name, each in dotted(modules, facts.prefix).items()}
        write_tensors(path, tensors, metadata(replace(facts, alpha=facts.rank)))
        return
    tensors = {}
    for (part, module), pair in modules.items():
        name = name_in_file(module, part, layers_per_block)
        if isinstance(pair, Lokr):
            own = pair.tensors(name)
            # LyCORIS writes the rank where both matrices are whole; nobody reads it there.
            alpha = pair.scale * (pair.rank or facts.rank)
        else:
            own, alpha = {f"{name}.lora_down.weight": pair.down, f"{name}.lora_up.weight": pair.up}, pair.alpha
        tensors |= {key: each.detach().to("cpu", dtype).contiguous() for key, each in own.items()}
        tensors[f"{name}.alpha"] = _scalar(alpha, dtype)
    write_tensors(path, tensors, metadata(facts))


def dotted(modules: Modules, prefix: str = DENOISER) -> dict[str, torch.Tensor]:
    """A LoRA in diffusers' and PEFT's names, its alpha multiplied into ``lora_B``, a LoKr's into ``lokr_w1``: where an
    alpha stands beside such names, diffusers refuses the file and others drop it.

    Args:
        modules: the LoRA.
        prefix: what stands before the names.
    """
    tensors: dict[str, torch.Tensor] = {}
    for (part, module), pair in modules.items():
        name = name_in_file(module, part, None, prefix)
        if isinstance(pair, Lokr):
            own = pair.scaled(1.0).tensors(name)
            tensors |= {key: each.detach().to("cpu").contiguous() for key, each in own.items()}
            continue
        tensors[f"{name}.lora_A.weight"] = pair.down.detach().to("cpu").contiguous()
        tensors[f"{name}.lora_B.weight"] = (pair.up.detach().float() * pair.scale).to("cpu").contiguous()
    return tensors


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], about: dict[str, str]) -> None:
    """Writes a safetensors file whole: a reader sees the old file or the new one, also after a power cut.

    Raises:
        LoraFileError: the disk is full or refuses.
    """
    write_bytes(path, save(tensors, about))


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file whole: a reader sees the old file or the new one, also after a power cut.

    Raises:
        LoraFileError: the disk is full or refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.write_bytes(path, data)
        atomic_files.sync_folder(path.parent)
    except OSError as error:
        raise LoraFileError(
            f"{path} can't be written ({error.strerror})", "free disk space or fix the permissions"
        ) from error


def read_contents(
    path: Path, layers_per_block: int | None = SDXL_LAYERS_PER_BLOCK, family: str | None = None
) -> LoraContents:
    """Reads a LoRA, LoCon, DoRA or LoKr in any spelling.

    LoCon's three matrices (Tucker) become two that do the same: ΔW[o, i] = Σ up[o, p] · mid[p, q] · down[q, i]
    (LyCORIS ``lycoris/functional/locon.py``).

    Args:
        path: the file.
        layers_per_block: of the base model's U-Net, which the original names depend on; None: its family has others.
        family: the name of the base model's family; None: any with such names.

    Raises:
        LoraFileError: not readable, for another family of base models, a network that is neither, numbers that are
            none, matrices that don't belong together, or a module that is there twice.
    """
    header = read_header(path)
    refuse_another_family(header, layers_per_block, family)
    tensors, alphas = load_lora(path), Alphas(header)
    modules: dict[tuple[Part, str], LoraPair | Lokr] = {}
    left_out = {name.split(".lora_")[0].split(".lokr_")[0]: None for name in header.useless_tensors()}
    for name in header.modules:
        try:
            part, fused = places(name, layers_per_block)
        except LoraFileError:
            left_out[name] = None
            continue
        for module in fused:
            if (part, module) in modules:
                raise LoraFileError(f"{path.name} has {module} twice, the other as {name}", "use another LoRA file")
        try:
            own = _own(tensors, alphas, header, name, part, fused)
        except (RuntimeError, ValueError, ZeroDivisionError) as error:
            why = f" ({error})" if len(fused) > 1 else ""
            what = f"{path.name}: the matrices of {name} don't fit{why}"
            raise LoraFileError(what, "use another LoRA file") from error
        modules |= {(part, module): each for module, each in zip(fused, own, strict=True)}
    return LoraContents(modules, tuple(left_out))


def _own(
    tensors: Mapping[str, torch.Tensor],
    alphas: Alphas,
    header: LoraHeader,
    name: str,
    part: Part,
    fused: Sequence[str],
) -> Sequence[LoraPair | Lokr]:
    """What a file has under a name, for each of the modules that it is. Raises ValueError, RuntimeError."""
    module = fused[0] if len(fused) == 1 else name
    if (parts := header.lokr.get(name)) is not None:
        if any(name + down in tensors for down, _ in PAIRS):
            raise ValueError("a LoRA and a LoKr")
        factor = float(tensors[name + SCALAR]) if name + SCALAR in tensors else 1.0
        return shared(lokr_of(tensors, name, parts, alphas.lokr_scale(name, part, module, parts) * factor), len(fused))
    pair = _pair(tensors, name)
    alpha = alphas.of(name, part, module, _down(tensors, name).shape[0])
    return _shares(replace(pair, alpha=alpha * pair.alpha), len(fused))


def read_lora(path: Path, layers_per_block: int | None = SDXL_LAYERS_PER_BLOCK) -> dict[tuple[Part, str], LoraPair]:
    """Reads a plain LoRA whole. A module without alpha has its rank as alpha, as in kohya's own reader.

    Raises:
        LoraFileError: what ``read_contents`` raises, and for anything that is no plain LoRA of an SDXL module.
    """
    header = read_header(path)
    if stray := header.stray_tensors() or list(header.lokr):
        raise LoraFileError(f"{path.name}: {stray[0]} is not understood", "use a plain LoRA")
    found = read_contents(path, layers_per_block)
    if found.left_out:
        raise LoraFileError(f"{found.left_out[0]} is not a module of an SDXL LoRA", "use a LoRA made for SDXL")
    return {place: pair for place, pair in found.modules.items() if isinstance(pair, LoraPair)}


def load_lora(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a LoRA, on the CPU; each is made of numbers that a model can go on with.

    Raises:
        LoraFileError: not there, damaged, or with something in it that is no number.
    """
    tensors = load_tensors(path)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor.float()).all():
            raise LoraFileError(f"{path}: {name} holds NaN or infinite values", "use another checkpoint")
    return tensors


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a safetensors file, on the CPU.

    Raises:
        LoraFileError: not there or damaged.
    """
    try:
        tensors: dict[str, torch.Tensor] = load_file(str(path))
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise LoraFileError(f"{path} can't be read ({error})", "give a whole .safetensors file") from error
    return tensors


def _scalar(value: float, dtype: torch.dtype) -> torch.Tensor:
    """A number in ``dtype``, or in float32 where that would change it."""
    tensor = torch.tensor(value, dtype=dtype)
    return tensor if float(tensor) == value else torch.tensor(value, dtype=torch.float32)


def _suffixes(tensors: Mapping[str, torch.Tensor], name: str) -> tuple[str, str]:
    """How the names of a module's two matrices end."""
    return next(pair for pair in PAIRS if name + pair[0] in tensors and name + pair[1] in tensors)


def _down(tensors: Mapping[str, torch.Tensor], name: str) -> torch.Tensor:
    return tensors[name + _suffixes(tensors, name)[0]]


def _shares(pair: LoraPair, count: int) -> list[LoraPair]:
    """The LoRA of each of the linears that a file has as one, with an equal ΔW."""
    if count == 1:
        return [pair]
    magnitudes: list[torch.Tensor | None] = [None] * count
    biases: list[torch.Tensor | None] = [None] * count
    if pair.magnitude is not None:
        if pair.magnitude.shape != (pair.up.shape[0], 1):
            raise ValueError("DoRA's scales by columns")
        magnitudes = list(pair.magnitude.chunk(count))
    if pair.bias is not None:
        if pair.bias.shape != pair.up.shape[:1]:
            raise ValueError("a bias of another size")
        biases = list(pair.bias.chunk(count))
    return [
        LoraPair(down, up, pair.alpha * (down.shape[0] / pair.rank), magnitude, bias)
        for (down, up), magnitude, bias in zip(taken_apart(pair.down, pair.up, count), magnitudes, biases, strict=True)
    ]


def _pair(tensors: Mapping[str, torch.Tensor], name: str) -> LoraPair:
    """A module's matrices, with what its alpha is to be multiplied by as alpha."""
    down, up = (tensors[name + suffix] for suffix in _suffixes(tensors, name))
    rank, alpha = down.shape[0], 1.0
    if (mid := tensors.get(name + MID)) is not None:
        folded = torch.einsum("pqhw,qi->pihw", mid.float(), down.float().flatten(1))
        # The scale is alpha by the inner rank, which is no more to be seen.
        down, alpha = folded, folded.shape[0] / rank
    up = up.flatten(1)
    if up.shape[1] != down.shape[0] or down.dim() not in (2, 4):
        raise ValueError(name)
    if (scalar := tensors.get(name + SCALAR)) is not None:
        alpha *= float(scalar)
    magnitude = next((tensors[name + each] for each in MAGNITUDES if name + each in tensors), None)
    if magnitude is not None:
        # PEFT's are always by rows: a vector or, of convolutions, [1, outputs, 1, 1].
        by_rows = magnitude.dim() == 1 or f"{name}{MAGNITUDES[0]}" not in tensors
        magnitude = magnitude.reshape(-1, 1) if by_rows else magnitude.flatten(1)
    bias = next((tensors[name + each] for each in BIASES if name + each in tensors), None)
    return LoraPair(down, up, alpha, magnitude, bias)
