"""What a LoKr trains, keeps and computes is reckoned before a run, and is what torch counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DConditionModel
from diffusers.loaders import PeftAdapterMixin
from peft.tuners.lokr.layer import factorization as by_peft
from torch.utils.flop_counter import FlopCounterMode

from engine.kronecker import factorization, lokr_shape, trained_weights
from engine.models.flux2_klein.loaded import DOUBLE, SINGLE
from engine.models.flux2_klein.shape import PUBLISHED
from engine.models.registry import arithmetic_of
from engine.models.sdxl.loaded import TARGETS
from engine.models.sdxl.memory import LINEARS
from engine.models.shape import StepShape
from engine.training.step.lora_adapter import add_lokr
from tests.engine.models.test_flux2_klein import published, seen

KLEIN = [
    *(f"transformer_blocks.{n}.{name}" for n in range(5) for name in DOUBLE),
    *(f"single_transformer_blocks.{n}.{name}" for n in range(20) for name in SINGLE),
]
"""The linears of the 4B that are trained."""


def counted(model: Any, targets: list[str], rank: int, factor: int) -> int:
    with torch.device("meta"):
        return sum(each.numel() for each in add_lokr(model, rank, float(rank), factor, 0, targets))


NETWORKS = [(16, 8), (16, 16), (320, 16), (4, -1), (64, 4)]


@pytest.mark.parametrize(("rank", "factor"), NETWORKS)
def test_what_sdxl_trains_is_counted_beforehand(rank: int, factor: int) -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            sample_size=128,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(320, 640, 1280),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        )
    found = counted(unet, list(TARGETS), rank, factor)
    assert trained_weights(LINEARS, rank, factor) == pytest.approx(found, rel=0.01)
    shape = StepShape(1024, 1, rank, factor=factor)
    gb = arithmetic_of("sdxl", "SDXL").memory(shape, "adamw").lora
    assert gb == pytest.approx(found * 16 / 1e9, rel=0.01)


@pytest.mark.parametrize(("rank", "factor"), NETWORKS)
def test_what_klein_trains_is_counted_beforehand(rank: int, factor: int) -> None:
    found = counted(published(), KLEIN, rank, factor)
    assert trained_weights(PUBLISHED["FLUX.2 klein 4B"].sizes, rank, factor) == pytest.approx(found, rel=0.01)
    arithmetic = arithmetic_of("flux2-klein", "FLUX.2 klein 4B")
    assert arithmetic.memory(StepShape(1024, 1, rank, factor=factor)).lora == pytest.approx(found * 16 / 1e9, rel=0.01)


@pytest.mark.parametrize(("family", "size"), [("sdxl", "SDXL"), ("flux2-klein", "FLUX.2 klein 4B")])
def test_a_lokr_is_told_to_take_little_more_than_a_lora(family: str, size: str) -> None:
    arithmetic = arithmetic_of(family, size)
    plain, lokr = StepShape(1024, 1, 16), StepShape(1024, 1, 16, factor=8)
    assert arithmetic.step_tflop(lokr) == pytest.approx(arithmetic.step_tflop(plain), rel=0.05)
    assert arithmetic.memory(lokr).lora < arithmetic.memory(plain).lora / 3
    assert arithmetic.memory(lokr).activations >= arithmetic.memory(plain).activations


class OneLinear(ModelMixin, ConfigMixin, PeftAdapterMixin):  # type: ignore[misc]
    """A model of one linear, as diffusers' are."""

    config_name = "config.json"

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.only = torch.nn.Linear(inputs, outputs)


@pytest.mark.parametrize("rank", [16, 320])
@pytest.mark.parametrize(("inputs", "outputs"), [(640, 5120), (5120, 640), (1280, 1280)])
def test_what_is_kept_for_the_way_back_is_counted_beforehand(inputs: int, outputs: int, rank: int) -> None:
    model = OneLinear(inputs, outputs)
    add_lokr(model, rank, float(rank), 8, 0, ["only"])
    own = {each.untyped_storage().data_ptr() for each in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        memory = tensor.untyped_storage()
        if memory.data_ptr() not in own:
            kept[memory.data_ptr()] = memory.nbytes() // 4
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        seen = model.only(torch.randn(2, 32, inputs, requires_grad=True))
    assert seen.shape == (2, 32, outputs)
    assert sum(kept.values()) == 64 * (inputs + lokr_shape(inputs, outputs, rank, 8).kept)


@pytest.mark.parametrize("factor", [-1, 2, 4, 8, 10, 16, 25])
def test_sides_are_divided_as_peft_and_lycoris_do(factor: int) -> None:
    for side in (64, 96, 127, 128, 250, 360, 512, 640, 768, 1024, 1280, 2048, 2560, 3072, 5120, 9216, 10240, 27648):
        assert factorization(side, factor) == by_peft(side, factor)
    # The table in LyCORIS' docstring.
    assert [factorization(360, each) for each in (-1, 2, 4, 8)] == [(18, 20), (2, 180), (4, 90), (8, 45)]
    assert lokr_shape(1280, 640, 16, 8).right == (80, 160)


@pytest.mark.parametrize(("rank", "factor", "again"), [(16, 8, False), (16, 8, True), (320, 16, False)])
def test_a_step_of_a_lokr_is_what_pytorch_counts(rank: int, factor: int, again: bool) -> None:
    model = published(again=again)
    with torch.device("meta"):
        add_lokr(model, rank, float(rank), factor, 0, KLEIN)
        model.train()
        with FlopCounterMode(display=False) as counter:
            seen(model, 512).sum().backward()
    shape = StepShape(512, 1, rank, gradient_checkpointing=again, factor=factor)
    reckoned = arithmetic_of("flux2-klein", "FLUX.2 klein 4B").step_tflop(shape)
    # Reckoned as if picture and text went through all linears: that shows where the network is large.
    assert reckoned == pytest.approx(counter.get_total_flops() / 1e12, rel=0.01 if rank < 320 else 0.03)
