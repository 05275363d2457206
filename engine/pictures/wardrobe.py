"""LoRAs put on a loaded base model and taken off, without loading it again. Needs torch and peft.

Putting one on is dear: peft builds layers for it. So a LoRA stays on the model, switched off, and is switched on again
when it is wanted; and one of the same modules and ranks as another that is off (the checkpoints of a run) only has its
numbers copied into the other's layers. Files that were read stay in memory, the latest used.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from engine.errors import LoraFileError
from engine.jobs.quick_imports import without_the_unasked
from engine.pictures.picture import Worn
from engine.training.lora_file import LoraPair, load_lora, read_lora
from engine.training.lora_header import read_header
from engine.training.lora_names import Part

MOST_SLOTS = 6
"""How many LoRAs stay on the model, those that are off included."""

MOST_READ_BYTES = 2 * 1024**3
"""Memory for files that were read."""

PARTS = {Part.UNET: "unet", Part.TE1: "text_encoder", Part.TE2: "text_encoder_2"}

Mark = tuple[Path, int, int]
"""A file as it is now: path, time of change, size."""

Pairs = Mapping[tuple[Part, str], LoraPair]

Shape = frozenset[tuple[Part, str, tuple[int, ...], tuple[int, ...]]]


@dataclass
class _Slot:
    """A LoRA's layers on the model."""

    mark: Mark
    shape: Shape | None
    """What its layers are like; None: not a LoRA of plain layers, nothing can be copied into it."""
    layers: dict[tuple[Part, str], Any] = field(default_factory=dict)


class Wardrobe:
    """The LoRAs of one pipeline.

    Args:
        pipeline: a diffusers ``StableDiffusionXLPipeline`` with its text encoders.
        title: the base model's name, for messages.
    """

    def __init__(self, pipeline: Any, title: str) -> None:
        self._pipeline = pipeline
        self._title = title
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._read: OrderedDict[Mark, Pairs] = OrderedDict()
        self._on: tuple[tuple[str, Mark, float, float], ...] | None = None
        self._enabled = True
        self._count = 0

    def wear(self, worn: Sequence[Worn]) -> None:
        """Makes these LoRAs, and only these, the ones that are on. A strength of 0 is none.

        Raises:
            LoraFileError: one is not there, can't be read, or does not fit the base model.
        """
        marks = [(each, _mark(each.file)) for each in worn]
        wanted = [(each, mark) for each, mark in marks if each.unet or each.te]
        keep = {mark for _, mark in wanted}
        on = tuple((self._slot_of(each, mark, keep), mark, each.unet, each.te) for each, mark in wanted)
        if on == self._on:
            return
        self._on = None
        self._switch(bool(on))
        if on:
            self._pipeline.set_adapters([name for name, *_ in on], adapter_weights=[_weights(*one[2:]) for one in on])
        self._on = on

    def _switch(self, enabled: bool) -> None:
        """Switches all layers on or off; it looks at every module, so only where it changes something."""
        if self._slots and enabled != self._enabled:
            (self._pipeline.enable_lora if enabled else self._pipeline.disable_lora)()
            self._enabled = enabled

    def _slot_of(self, worn: Worn, mark: Mark, keep: set[Mark]) -> str:
        """The slot that holds a file, filled now if none did."""
        for name, slot in self._slots.items():
            if slot.mark == mark:
                self._slots.move_to_end(name)
                return name
        pairs = self._pairs(mark)
        idle = [name for name, slot in self._slots.items() if slot.mark not in keep]
        if pairs is not None:
            shape = _shape(pairs)
            same = next((name for name in idle if self._slots[name].shape == shape), None)
            if same is not None:
                self._copy(pairs, self._slots[same], same)
                self._slots[same].mark = mark
                self._slots.move_to_end(same)
                return same
        while len(self._slots) >= MOST_SLOTS and idle:
            self._remove(idle.pop(0))
        return self._load(mark, pairs)

    def _load(self, mark: Mark, pairs: Pairs | None) -> str:
        """Builds a LoRA's layers on the model."""
        name = f"lora{self._count}"
        self._count += 1
        file = mark[0]
        # Whatever happens, what is on is not what it was.
        self._on = None
        self._switch(True)
        try:
            with without_the_unasked():
                self._pipeline.load_lora_weights(load_lora(file), adapter_name=name)
        except (ValueError, RuntimeError, KeyError, IndexError) as error:
            self._take_all_off()
            # Neither diffusers nor torch has a class of its own for it, and both say it in pages.
            said = " ".join(str(error).split())[:160]
            said = "it was made for another base model" if "size mismatch" in str(error) else said
            raise self._unfit(file, said) from error
        if not any(name in names for names in self._pipeline.get_list_adapters().values()):
            raise self._unfit(file, "none of its modules is in it")
        layers = self._layers(pairs) if pairs is not None else {}
        self._slots[name] = _Slot(mark, _shape(pairs) if pairs is not None and layers else None, layers)
        return name

    def _unfit(self, file: Path, said: str) -> LoraFileError:
        return LoraFileError(f"{file.name} does not fit {self._title} ({said})", "look into it with: limner lora show")

    def _layers(self, pairs: Pairs) -> dict[tuple[Part, str], Any]:
        """The model's layer of each module; none where one can't be found by its name."""
        found: dict[tuple[Part, str], Any] = {}
        for part, module in pairs:
            try:
                layer = getattr(self._pipeline, PARTS[part]).get_submodule(module)
            except AttributeError:
                return {}
            if not hasattr(layer, "lora_A"):
                return {}
            found[part, module] = layer
        return found

    @torch.no_grad()
    def _copy(self, pairs: Pairs, slot: _Slot, name: str) -> None:
        for key, pair in pairs.items():
            layer = slot.layers[key]
            layer.lora_A[name].weight.copy_(pair.down)
            layer.lora_B[name].weight.copy_(pair.up)
            layer.lora_alpha[name] = pair.alpha
        # The weights' scale is set from alpha when it is switched on.
        self._on = None

    def _pairs(self, mark: Mark) -> Pairs | None:
        """A file's plain pairs; None where it is laid out in another way, which only diffusers reads."""
        if mark in self._read:
            self._read.move_to_end(mark)
            return self._read[mark]
        read_header(mark[0])
        try:
            pairs: Pairs = read_lora(mark[0], self._pipeline.unet.config.layers_per_block)
        except LoraFileError:
            return None
        if any(pair.down.dim() != 2 for pair in pairs.values()):
            return None
        self._read[mark] = pairs
        while len(self._read) > 1 and sum(each[2] for each in self._read) > MOST_READ_BYTES:
            self._read.popitem(last=False)
        return pairs

    def _remove(self, name: str) -> None:
        self._on = None
        self._pipeline.delete_adapters([name])
        del self._slots[name]

    def _take_all_off(self) -> None:
        """After a failure nobody knows what is on the model: everything goes."""
        self._slots.clear()
        self._on, self._enabled = None, True
        self._pipeline.unload_lora_weights()


def _mark(file: Path) -> Mark:
    try:
        about = file.stat()
    except OSError as error:
        raise LoraFileError(f"there is no LoRA at {file}", "list a run's checkpoints with: limner runs") from error
    return file, about.st_mtime_ns, about.st_size


def _shape(pairs: Pairs) -> Shape:
    return frozenset(
        (part, module, tuple(pair.down.shape), tuple(pair.up.shape)) for (part, module), pair in pairs.items()
    )


def _weights(unet: float, te: float) -> float | dict[str, float]:
    return unet if unet == te else {"unet": unet, "text_encoder": te, "text_encoder_2": te}
