"""LoRAs and LoKrs put on a loaded base model and taken off, without loading it again. Needs torch.

A file is read once and fitted to the model's layers once; putting it on is then a matter of telling each layer what it
has. The latest used stay fitted beside the model, more of them in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import LoraFileError
from engine.lora.file import LoraContents, LoraPair, read_contents
from engine.lora.header import read_header
from engine.lora.lokr import Lokr
from engine.lora.module_names import COMPONENTS, TEXT_PARTS, Part
from engine.models.loaded import LoadedBase
from engine.pictures.orders.picture import LoraWeight
from engine.pictures.painting.lokr_layers import LayerLokr
from engine.pictures.painting.lora_layers import LayerLora, LayerPart, can_have_lora, set_layer_loras

MOST_FITTED = 6
"""How many LoRAs stay fitted, on the model's device, those that are not on included."""

MOST_READ_BYTES = 2 * 1024**3
"""Memory for files that were read."""

Mark = tuple[Path, int, int]
"""A file as it is now: path, time of change, size."""

Place = tuple[Part, str]


@dataclass(frozen=True)
class Fitted:
    """A LoRA, fitted to the model."""

    layer_loras: Mapping[Place, LayerPart]
    left_out: tuple[str, ...]
    """Modules of the file that the model has not."""

    @property
    def total(self) -> int:
        """How many modules the file has."""
        return len(self.layer_loras) + len(self.left_out)


@dataclass(frozen=True)
class LeftOut:
    """What of a LoRA that is on the base model has no place for."""

    name: str
    count: int
    total: int
    such_as: str

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.count} of {self.total} modules are not in this base model and are left out, "
            f"such as {self.such_as}"
        )


class LoraCache:
    """The LoRAs of one base model.

    Args:
        base: the base model, with its text encoders.
        title: the base model's name, for messages.
    """

    def __init__(self, base: LoadedBase, title: str) -> None:
        self._base = base
        self._title = title
        self._read: OrderedDict[Mark, LoraContents] = OrderedDict()
        self._fitted: OrderedDict[Mark, Fitted] = OrderedDict()
        self._on: tuple[tuple[Mark, float, float], ...] = ()
        self._with_loras: set[Place] = set()

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What of the LoRAs that are on is left out, because the model has no such module."""
        on = [(mark[0].stem, self._fitted[mark]) for mark, *_ in self._on]
        return tuple(LeftOut(name, len(it.left_out), it.total, it.left_out[0]) for name, it in on if it.left_out)

    def set_loras(self, loras: Sequence[LoraWeight]) -> None:
        """Makes these LoRAs, and only these, the ones that are on. A strength of 0 is none.

        Raises:
            LoraFileError: one is not there, can't be read, or does not fit the base model; what was on stays.
        """
        marks = [(each, _mark(each.file)) for each in loras]
        on = tuple((mark, each.unet, each.te) for each, mark in marks if each.unet or each.te)
        if on == self._on:
            return
        keep = {mark for mark, *_ in on}
        fitted = [(self._fit(mark, keep), unet, te) for mark, unet, te in on]
        wanted: dict[Place, list[tuple[LayerPart, float]]] = {}
        for each, unet, te in fitted:
            for place, lora in each.layer_loras.items():
                strength = unet if place[0] is Part.UNET else te
                if strength:
                    wanted.setdefault(place, []).append((lora, strength))
        for place in self._with_loras | set(wanted):
            set_layer_loras(self._layer(place), wanted.get(place, ()))
        self._with_loras, self._on = set(wanted), on

    def _fit(self, mark: Mark, keep: set[Mark]) -> Fitted:
        """A file, fitted to the model; the longest unused others make room."""
        if mark in self._fitted:
            self._fitted.move_to_end(mark)
            return self._fitted[mark]
        contents = self._contents(mark)
        layer_loras: dict[Place, LayerPart] = {}
        left_out = list(contents.left_out)
        for (part, module), pair in contents.modules.items():
            layer = self._layer((part, module))
            if not can_have_lora(layer):
                left_out.append(f"{COMPONENTS[part]}.{module}")
                continue
            try:
                layer_loras[part, module] = _fitted(pair, layer)
            except ValueError as error:
                raise self._unfit(mark[0], f"it was made for another base model: {module} has {error}") from error
        if not layer_loras:
            raise self._unfit(mark[0], "none of its modules is in it")
        idle = [each for each in self._fitted if each not in keep and each not in {on[0] for on in self._on}]
        for each in idle[: max(0, len(self._fitted) + 1 - MOST_FITTED)]:
            del self._fitted[each]
        self._fitted[mark] = Fitted(layer_loras, tuple(left_out))
        return self._fitted[mark]

    def _unfit(self, file: Path, said: str) -> LoraFileError:
        return LoraFileError(f"{file.name} does not fit {self._title} ({said})", "see: limner lora show")

    def _layer(self, place: Place) -> Any:
        """The model's layer; None where it has none of that name."""
        part, module = place
        models = dict(zip(TEXT_PARTS, self._base.text_encoders, strict=False)) | {Part.UNET: self._base.denoiser}
        if part not in models:
            return None
        # transformers 5.6 dropped "text_model." from CLIPTextModel's names and kept it in the other's.
        for name in (module, module.removeprefix("text_model.")):
            try:
                return models[part].get_submodule(name)
            except AttributeError:
                continue
        return None

    def _contents(self, mark: Mark) -> LoraContents:
        """What a file holds."""
        if mark in self._read:
            self._read.move_to_end(mark)
            return self._read[mark]
        read_header(mark[0])
        self._read[mark] = read_contents(mark[0], self._base.layers_per_block, self._base.shape.family)
        while len(self._read) > 1 and sum(each[2] for each in self._read) > MOST_READ_BYTES:
            self._read.popitem(last=False)
        return self._read[mark]


def _fitted(pair: LoraPair | Lokr, layer: Any) -> LayerPart:
    """A module's part, for its layer. Raises ValueError where it does not fit."""
    return LayerLokr(pair, layer) if isinstance(pair, Lokr) else LayerLora(pair, layer)


def _mark(file: Path) -> Mark:
    try:
        about = file.stat()
    except OSError as error:
        raise LoraFileError(f"there is no LoRA at {file}", "list a run's checkpoints with: limner runs") from error
    return file, about.st_mtime_ns, about.st_size
