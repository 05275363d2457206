"""What a LoRA file says about itself, read from its header without torch.

The format: eight bytes with the header's length, a JSON header, then the tensors' bytes
(https://github.com/huggingface/safetensors#format). Nothing in it can run.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import LoraFileError
from engine.lora.key_formats import PROCESSOR, module_of
from engine.lora.lokr_header import SUFFIXES, LokrParts, lokr_modules
from engine.lora.module_names import SDXL_LAYERS_PER_BLOCK, Part
from engine.models.folder_safety import PICKLES
from engine.storage.untrusted_files import open_plain, parse_json

LONGEST_HEADER = 20_000_000
"""Bytes, many times what a LoRA's header has; safetensors itself stops at 100 million."""

DTYPES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2"), 1),
}
"""Bytes a number of each type takes."""

LAYERS_PER_BLOCK = (SDXL_LAYERS_PER_BLOCK, 1, 3)
"""SDXL's, and those of smaller and larger models of its architecture, which number their blocks accordingly."""

_EXPONENTS = {
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
    "F32": ("<u4", 0x7F800000),
    "F64": ("<u8", 0x7FF0000000000000),
}
"""Of each type of number, as what it is read and where its exponent is."""

_SCALARS = {"F16": "<e", "F32": "<f", "F64": "<d", "I64": "<q", "I32": "<i"}


@dataclass(frozen=True)
class Tensor:
    """A tensor's type (``F16``), shape, and where its bytes lie in the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class LoraHeader:
    """A LoRA file's tensors and metadata."""

    path: Path
    tensors: dict[str, Tensor]
    metadata: dict[str, str]

    @cached_property
    def modules(self) -> dict[str, tuple[int, int, int]]:
        """Each LoRA or LoKr module that has both its matrices: name to (inputs, rank, outputs), the rank of a LoKr that
        is whole as 0. Names as in the file."""
        found: dict[str, tuple[int, int, int]] = {}
        for name, down in self.tensors.items():
            for down_suffix, up_suffix in PAIRS:
                up = self.tensors.get(name.removesuffix(down_suffix) + up_suffix)
                if name.endswith(down_suffix) and up is not None and down.shape and up.shape:
                    inputs = math.prod(down.shape[1:])
                    found[name.removesuffix(down_suffix)] = (inputs, down.shape[0], up.shape[0])
        for name, parts in self.lokr.items():
            found[name] = (parts.size[0], parts.scaling_rank, parts.size[1])
        return found

    @cached_property
    def lokr(self) -> dict[str, LokrParts]:
        """Each module that is a LoKr, by its name in the file."""
        return lokr_modules({name: tensor.shape for name, tensor in self.tensors.items() if ".lokr_" in name})

    @cached_property
    def kohya(self) -> bool:
        """Whether the names are kohya's (``lora_unet_…``)."""
        return bool(self.modules) and all(name.startswith(tuple(Part)) for name in self.modules)

    def part_counts(self) -> dict[str, int]:
        """Modules by part: ``unet``, ``te1``, ``te2`` and ``unknown`` (not a module of SDXL's architecture)."""
        return self._counts(self.layers_per_block)

    @cached_property
    def layers_per_block(self) -> int:
        """Of the U-Net that the file was probably made for: the first with which most names are understood."""
        return min(LAYERS_PER_BLOCK, key=lambda layers: self._counts(layers)["unknown"])

    def _counts(self, layers_per_block: int) -> dict[str, int]:
        counts = {"unet": 0, "te1": 0, "te2": 0, "unknown": 0}
        keys = {Part.UNET: "unet", Part.TE1: "te1", Part.TE2: "te2"}
        for name in self.modules:
            try:
                counts[keys[module_of(name, layers_per_block)[0]]] += 1
            except LoraFileError:
                counts["unknown"] += 1
        return counts

    @property
    def rank(self) -> int | None:
        """The rank that most modules have; None where none has one."""
        ranks = Counter(rank for _, rank, _ in self.modules.values() if rank)
        return ranks.most_common(1)[0][0] if ranks else None

    @property
    def alpha(self) -> float | None:
        """The alpha that most modules have; None where the file carries none (readers then take the rank)."""
        values = Counter(self.scalar(name) for name in self.tensors if name.endswith(".alpha"))
        return values.most_common(1)[0][0] if values else None

    @cached_property
    def other_networks(self) -> dict[str, int]:
        """Modules of networks that are neither LoRA nor LoKr, by the network's name: ``{"LoHa": 722}``."""
        found = {
            (name.removesuffix(suffix), kind)
            for name in self.tensors
            for suffix, kind in OTHER_NETWORKS
            if name.endswith(suffix)
        }
        found |= {(name, SCALED) for name in self.lokr for end in MAGNITUDES if name + end in self.tensors}
        return dict(Counter(kind for _, kind in found))

    @property
    def dora_modules(self) -> int:
        """How many modules scale what they learnt, as DoRA does."""
        return sum(name.endswith(MAGNITUDES) for name in self.tensors)

    def stray_tensors(self) -> list[str]:
        """Tensors that belong to no whole pair of matrices."""
        owned = {name + suffix for name in self.modules for pair in PAIRS for suffix in pair}
        owned |= {f"{name}.alpha" for name in self.modules}
        owned |= {name + suffix for name in self.lokr for suffix in SUFFIXES}
        return sorted(set(self.tensors) - owned)

    def useless_tensors(self) -> list[str]:
        """Tensors that no network known here has a use for, such as half a pair."""
        if self.other_networks:
            return []
        used = {name + suffix for name in self.modules for suffix in BESIDE_THE_PAIR}
        return [name for name in self.stray_tensors() if name not in used]

    def scalar(self, name: str) -> float:
        """A tensor of one number. Raises LoraFileError where it is none."""
        tensor = self.tensors[name]
        with self.path.open("rb") as handle:
            handle.seek(tensor.start)
            raw = handle.read(tensor.end - tensor.start)
        if tensor.dtype == "BF16":
            return float(struct.unpack("<f", b"\0\0" + raw[:2])[0])
        if tensor.dtype not in _SCALARS or not raw:
            raise LoraFileError(f"{self.path.name}: {name} is not a number", "use another LoRA file")
        return float(struct.unpack_from(_SCALARS[tensor.dtype], raw)[0])


PAIRS = (
    (".lora_down.weight", ".lora_up.weight"),
    (".lora_A.weight", ".lora_B.weight"),
    (".lora_A.default.weight", ".lora_B.default.weight"),
    (".lora.down.weight", ".lora.up.weight"),
    ("_lora.down.weight", "_lora.up.weight"),
    (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"),
)
"""How the two matrices of a module end, in kohya's, PEFT's and diffusers' older spellings."""


MID = ".lora_mid.weight"
"""LoCon's third matrix (Tucker): between the two of a pair."""

MAGNITUDES = (
    ".dora_scale",
    ".lora_magnitude_vector",
    ".lora_magnitude_vector.weight",
    ".lora_magnitude_vector.default",
    ".lora_magnitude_vector.default.weight",
)
"""DoRA's scale of a module, by LyCORIS' and PEFT's names."""

BIASES = (".lora_B.bias", ".lora_B.default.bias")
"""What PEFT's ``lora_bias`` adds."""

SCALAR = ".scalar"
"""LyCORIS' learnt factor of a module's ΔW."""

BESIDE_THE_PAIR = (MID, SCALAR, *MAGNITUDES, *BIASES)

SCALED = "LoKr with DoRA's scales"
"""What LyCORIS makes of LoKr with ``weight_decompose``."""

OTHER_NETWORKS = (
    (".hada_w1_a", "LoHa"),
    (".lokr_t1", "LoKr with two Tucker cores"),
    (".a1.weight", "GLoRA"),
    (".oft_blocks", "OFT"),
    (".oft_diag", "OFT"),
    (".on_input", "IA3"),
    (".diff", "full weights"),
    (".diff_b", "full biases"),
    (".w_norm", "norms"),
    (".vera_lambda_b", "VeRA"),
)
"""A tensor that each module of another kind has one of (LyCORIS ``lycoris/modules``)."""


def read_header(path: Path, *, any_network: bool = False) -> LoraHeader:
    """Reads a LoRA file's header.

    Args:
        path: the file.
        any_network: whether other networks, such as LoHa, will do, which Limner can tell of and not paint with.

    Raises:
        LoraFileError: not there, not safetensors, cut short, without a single LoRA module, or with modules of another
            network, which would be left out.
    """
    record, offset, size = _read_record(path)
    try:
        metadata = {str(key): str(value) for key, value in record.pop("__metadata__", {}).items()}
        tensors = {name: _tensor(entry, offset) for name, entry in record.items()}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _no_safetensors(path) from error
    if any(tensor.end > size for tensor in tensors.values()):
        raise LoraFileError(f"{path} is truncated", "copy it again")
    _check_places(path, tensors, offset)
    header = LoraHeader(path, tensors, metadata)
    if header.other_networks and not any_network:
        kinds = ", ".join(f"{count} {kind}" for kind, count in header.other_networks.items())
        beside = "beside its LoRA" if header.modules.keys() - header.lokr.keys() else "and no LoRA"
        what = f"{path} holds another network ({kinds}) {beside}"
        raise LoraFileError(what, "give a LoRA, LoCon, DoRA or LoKr")
    if not header.modules and not header.other_networks:
        raise LoraFileError(f"{path} holds no LoRA", "give a LoRA, not a whole model")
    return header


def context_width(header: LoraHeader) -> int | None:
    """The width of the text that the file's cross-attention reads: 2048 for SDXL; None where it has none."""
    for name, (inputs, _, _) in header.modules.items():
        if name.endswith(("attn2_to_k", "attn2.to_k", f"attn2{PROCESSOR}k")):
            return inputs
    return None


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of any safetensors file. Raises LoraFileError."""
    about = _read_record(path)[0].get("__metadata__", {})
    return {str(key): str(value) for key, value in about.items()} if isinstance(about, dict) else {}


def no_numbers(header: LoraHeader) -> list[str]:
    """The tensors that hold NaN or infinite values: with them every picture is black."""
    raw = np.memmap(header.path, np.uint8, "r")
    found = []
    for name, tensor in header.tensors.items():
        kind, exponent = _EXPONENTS.get(tensor.dtype, ("", 0))
        if kind:
            # All bits of the exponent are set in those, and in those only.
            values = np.frombuffer(raw[tensor.start : tensor.end], dtype=kind)
            if ((values & exponent) == exponent).any():
                found.append(name)
    return found


def lora_hash(path: Path) -> str:
    """The hash that A1111 shows and PNGs carry: SHA-256 of the tensors' bytes, its first 12 hexadecimal digits.

    Source: kohya-ss/sd-scripts ``addnet_hash_safetensors``, A1111 ``modules/hashes.py`` and
    ``extensions-builtin/Lora/network.py`` (``shorthash``).
    """
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        handle.seek(8 + int.from_bytes(handle.read(8), "little"))
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:12]


def _read_record(path: Path) -> tuple[dict[str, Any], int, int]:
    """A file's JSON header, where its tensors' bytes begin, and its size."""
    if path.suffix.lower() in PICKLES:
        raise LoraFileError(f"{path} is a pickle, which can run anything", "use the .safetensors version")
    try:
        size = path.stat().st_size
        with open_plain(path) as handle:
            length = int.from_bytes(handle.read(8), "little")
            if not 2 <= length <= min(LONGEST_HEADER, size - 8):
                raise _no_safetensors(path)
            record = parse_json(handle.read(length))
    except FileNotFoundError as error:
        raise LoraFileError(f"there is no {path}", "list a run's checkpoints with: limner runs") from error
    except OSError as error:
        raise LoraFileError(f"{path} can't be read ({error.strerror})", "give a .safetensors LoRA") from error
    except ValueError as error:
        raise _no_safetensors(path) from error
    if not isinstance(record, dict):
        raise _no_safetensors(path)
    return record, 8 + length, size


def _no_safetensors(path: Path) -> LoraFileError:
    return LoraFileError(f"{path} is not a safetensors file", "give a .safetensors LoRA")


def _tensor(entry: dict[str, Any], offset: int) -> Tensor:
    shape, span = entry["shape"], entry["data_offsets"]
    if not isinstance(shape, list) or not isinstance(span, list):
        raise TypeError("a tensor without shape or offsets")
    start, end = (int(each) for each in span)
    return Tensor(str(entry["dtype"]), tuple(int(each) for each in shape), offset + start, offset + end)


def _check_places(path: Path, tensors: dict[str, Tensor], offset: int) -> None:
    """Whether each tensor has as many bytes as its numbers take, and none lies over another."""
    before = offset
    for name, tensor in sorted(tensors.items(), key=lambda each: (each[1].start, each[1].end)):
        wanted = math.prod(tensor.shape) * DTYPES.get(tensor.dtype, -1)
        if tensor.dtype not in DTYPES or min(tensor.shape, default=0) < 0 or tensor.end - tensor.start != wanted:
            raise LoraFileError(
                f"{path}: {name} is not a tensor of type {tensor.dtype}", "give a whole .safetensors LoRA"
            )
        if tensor.start < before:
            raise LoraFileError(f"{path}: {name} overlaps another tensor", "give a whole .safetensors LoRA")
        before = tensor.end
