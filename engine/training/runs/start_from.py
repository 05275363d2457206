"""Whether a run can go on from the file that it is to start from, by the file's header alone. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.counting import many
from engine.errors import LoraFileError, TrainingError
from engine.kronecker import lokr_shape
from engine.lora.header import LoraHeader, read_header
from engine.lora.key_formats import module_of
from engine.lora.layouts import layout_named, made_for
from engine.lora.lokr_header import factor_of
from engine.lora.module_names import Part
from engine.settings import Settings, TrainingSettings


def check_start(settings: Settings) -> None:
    """Whether a run can go on from the LoRA or LoKr file that it is to start from; cheap, by the file's header.

    Raises:
        TrainingError: the file is of another kind than the run, has other ranks or another factor, no module that the
            run trains, or scales that would be lost.
        LoraFileError: it can't be read.
    """
    training = settings.training
    path = training.network_weights
    if path is None:
        return
    header = read_header(path)
    _check_kind(header, training)
    if header.dora_modules:
        raise TrainingError(
            f"{path.name} is a DoRA, whose scales would be lost: {many(header.dora_modules, 'module')} of it",
            "start from a plain LoRA",
        )
    trained = _trained(header, training.train_text_encoders)
    if not trained:
        raise TrainingError(f"{path.name} has no module that this run trains", "see: limner lora show")
    if training.lokr_factor is None:
        _check_rank(path, trained.values(), training.rank)
    else:
        _check_lokr(header, trained, training)


def _check_kind(header: LoraHeader, training: TrainingSettings) -> None:
    lokrs = len(header.lokr)
    if lokrs and training.lokr_factor is None:
        what = f"{header.path.name} is a LoKr, and training.network is lora"
        raise TrainingError(what, "set training.network to lokr, or start from a LoRA")
    if training.lokr_factor is not None and lokrs < len(header.modules):
        what = f"{header.path.name} is a LoRA, and training.network is lokr"
        raise TrainingError(what, "set training.network to lora, or start from a LoKr")


def _check_rank(path: Path, found: Iterable[int], rank: int) -> None:
    ranks = set(found)
    if max(ranks) != rank:
        has = f"rank {max(ranks)}" if len(ranks) == 1 else f"ranks from {min(ranks)} to {max(ranks)}"
        raise TrainingError(f"{path.name} has {has}, and training.rank is {rank}", f"set training.rank to {max(ranks)}")


def _check_lokr(header: LoraHeader, trained: Iterable[str], training: TrainingSettings) -> None:
    name, rank = header.path.name, training.rank
    layout = layout_named(made_for(header))
    if layout is not None and (several := [each for each in header.lokr if len(layout.modules(each)) > 1]):
        what = f"{name} has one LoKr for several linears of the base model, such as {several[0]}"
        raise TrainingError(what, "start from one in diffusers' names")
    shapes = {module: header.lokr[module] for module in trained}
    misfits = [
        module
        for module, (own, wanted) in (
            (module, (own, lokr_shape(*own.size, rank, training.factor))) for module, own in shapes.items()
        )
        if (own.left, own.right) != (wanted.left, wanted.right)
    ]
    if misfits:
        factor = factor_of(shapes.values())
        has, fix = (
            (f"factor {factor}", f"set training.factor to {factor}")
            if factor is not None
            else ("several factors", "start from another file")
        )
        raise TrainingError(f"{name} has {has}, and training.factor is {training.factor}", fix)
    if any(own.left_rank is not None or own.tucker for own in shapes.values()):
        what = f"{name} has a w1 of two matrices or a w2 of three, which a run here does not train"
        raise TrainingError(what, "start from a LoKr without decompose_both and use_tucker")
    ranks = {own.rank for own in shapes.values()} - {None}
    if any(own.rank != lokr_shape(*own.size, rank, training.factor).rank for own in shapes.values()):
        has = f"rank {max(each for each in ranks if each)}" if ranks else "whole matrices alone"
        fix = f"set training.rank to {max(each for each in ranks if each)}" if ranks else "set training.rank to 320"
        raise TrainingError(f"{name} has {has}, and training.rank is {rank}", fix)


def _trained(header: LoraHeader, texts: bool) -> dict[str, int]:
    """The file's modules that a run trains and their ranks: linears of transformers, and of text encoders with
    ``texts``.

    Where a file has one linear for several, its matrices may be stacked: those have the rank of the others.
    """
    layout = layout_named(made_for(header))
    if layout is not None:
        alone = {name: rank for name, (_, rank, _) in header.modules.items() if len(layout.modules(name)) == 1}
        return alone or {name: rank for name, (_, rank, _) in header.modules.items()}
    found: dict[str, int] = {}
    for name, (_, rank, _) in header.modules.items():
        try:
            part, module = module_of(name)
        except LoraFileError:
            # Another number of layers in a block; the loading knows it.
            part, module = Part.UNET, ".attentions."
        if ".attentions." in module or (texts and part is not Part.UNET):
            found[name] = rank
    return found
