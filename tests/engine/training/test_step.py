"""A step done in another way, from buffers that stay or compiled, is the same step; a way that fails is given up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from peft.tuners.lora.layer import Linear
from torch.utils._python_dispatch import TorchDispatchMode

from engine import events
from engine.models.device import Device
from engine.models.loading import load_base
from engine.models.locate import find_base
from engine.settings import BaseSettings, TrainingSettings
from engine.training.data import tensors
from engine.training.data.tensors import TrainingData
from engine.training.learner import Learner
from engine.training.loop import train_step
from engine.training.step.compile import CompiledBlocks
from engine.training.step.fused_lora import FusedLoraLinear, _Adapted
from engine.training.step.memory_fallback import fitting_for
from engine.training.step.passes import PassRunner
from engine.training.step.randomness import step_randomness

IMAGES = ([0, 1], [2, 3], [1, 0], [3, 2], [0, 1], [2, 3])
"""Of two shapes in turn, so that each comes often enough to be replayed."""


def drawn(unet: Any) -> TrainingData:
    """Two square and two tall images out of nothing, one of them for regularisation."""
    config = unet.config
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    randomness = torch.Generator().manual_seed(1)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=randomness)

    return TrainingData(
        latents=(some(2, 4, 16, 16), some(2, 4, 20, 12)),
        masks=(some(2, 1, 16, 16).sigmoid(), some(2, 1, 20, 12).sigmoid()),
        bucket=torch.tensor([0, 0, 1, 1]),
        row=torch.tensor([0, 1, 0, 1]),
        repeats=torch.ones(4, dtype=torch.int64),
        regularisation=torch.tensor([False, False, False, True]),
        held_out=torch.tensor([True, False, False, False]),
        captions=torch.tensor([[1], [2], [1], [2]]),
        image={"time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 4)},
        text={
            "prompt_embeds": some(3, 77, config.cross_attention_dim),
            "pooled_prompt_embeds": some(3, pooled),
        },
        tokens=None,
    )


def learner(told: list[events.Event] | None = None, dtype: torch.dtype = torch.float32, **changes: Any) -> Learner:
    settings = TrainingSettings(rank=4, batch=2, learning_rate=1e-2, **changes)
    base, fitting = load_base(find_base(BaseSettings(model="demo")), dtype), fitting_for(settings, 64, None)
    return Learner(base, settings, fitting, Device("cpu", dtype), tell=(told if told is not None else []).append)


def steps(trained: Learner, count: int = len(IMAGES)) -> list[tuple[float, float]]:
    """The loss and the gradient's norm of some steps."""
    data = drawn(trained.denoiser).to("cpu", trained.device.dtype)
    found = []
    for step, images in enumerate(IMAGES[:count], start=1):
        randomness = step_randomness(trained.settings, step, len(images), data.shape(images[0]), trained.noise.draw)
        loss, norm = train_step(trained, data, images, randomness, 1e-2)
        found.append((float(loss), float(norm)))
    return found


@pytest.fixture(scope="module")
def plain() -> list[tuple[float, float]]:
    return steps(learner())


def test_steps_from_buffers_that_stay_are_those_of_a_plain_run_bit_for_bit(plain: list[tuple[float, float]]) -> None:
    replayed = learner(graph="on")
    assert steps(replayed) == plain
    assert [type(each).__name__ for each in replayed._passes._kept.values()] == ["GraphedPass", "GraphedPass"]
    assert len({loss for loss, _ in plain}) == len(plain)


@pytest.mark.long
def test_replayed_passes_add_up_and_validation_between_changes_nothing() -> None:
    apart: dict[str, Any] = {"gradient_accumulation": 2, "gradient_checkpointing": True}
    one, other = learner(**apart), learner(graph="on", **apart)
    for each in (one, other):
        each.refit(each.fitting.__class__(True, 1, 2, each.fitting.optimizer, 64))
    ours = steps(one, 3)
    before = steps(other, 3)
    assert before == ours
    data = drawn(other.denoiser)
    other.validate(data)
    randomness = step_randomness(one.settings, 4, 2, data.shape(3), one.noise.draw)
    assert torch.equal(
        train_step(other, data, [3, 2], randomness, 1e-2)[0], train_step(one, data, [3, 2], randomness, 1e-2)[0]
    )
    other.zero_grad()
    assert not other._passes._kept


@pytest.mark.skipif(torch.cuda.is_available(), reason="capturing works where there is a card")
def test_a_capture_that_fails_is_told_once_and_training_goes_on_plainly(plain: list[tuple[float, float]]) -> None:
    told: list[events.Event] = []
    trained = learner(told)
    trained._passes = PassRunner(trained._pass, True, True, trained._give_compiling_up, told.append)
    assert steps(trained) == plain
    assert [each.message.partition(":")[0] for each in told if isinstance(each, events.Warning)] == [
        "training continues without CUDA graphs"
    ]


def test_a_capture_that_fails_in_mid_pass_leaves_no_gradient(
    plain: list[tuple[float, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[events.Event] = []
    trained = learner(told)
    trained._passes = PassRunner(trained._pass, True, True, trained._give_compiling_up, told.append)
    early = next(each for each in trained.denoiser.down_blocks.parameters() if each.requires_grad)
    backward = [0]

    def fails(gradient: torch.Tensor) -> torch.Tensor:
        backward[0] += 1
        # The first two passes are done as they come; in the third one captures, and its gradients are half there.
        if backward[0] == 3:
            raise RuntimeError("operation not permitted when stream is capturing")
        return gradient

    early.register_hook(fails)
    monkeypatch.setattr("torch.cuda.synchronize", lambda: None)
    monkeypatch.setattr("torch.cuda.graph_pool_handle", lambda: (0, 0))
    assert steps(trained) == plain
    assert backward[0] == len(IMAGES) + 1
    assert len(told) == 1


@pytest.mark.long
def test_compiled_blocks_take_the_same_steps_and_stand_aside_for_pictures(plain: list[tuple[float, float]]) -> None:
    trained = learner()
    trained._compiled = CompiledBlocks(trained.denoiser, backend="aot_eager")
    assert len(trained._compiled) == sum(
        type(each).__name__ == "BasicTransformerBlock" for each in trained.denoiser.modules()
    )
    assert steps(trained, 3) == pytest.approx(plain[:3], rel=1e-4)
    blocks = list(trained._compiled._calls)
    with trained.inference_mode():
        assert not any(each._compiled_call_impl for each in blocks)
    assert all(each._compiled_call_impl for each in blocks)


@pytest.mark.long
def test_compiling_that_fails_is_told_and_the_step_is_done_without(plain: list[tuple[float, float]]) -> None:
    def broken(_graph: Any, _inputs: Any) -> Any:
        raise RuntimeError("no C++ compiler here")

    told: list[events.Event] = []
    trained = learner(told)
    trained._compiled = CompiledBlocks(trained.denoiser, backend=broken)
    trained._passes = PassRunner(trained._pass, False, False, trained._give_compiling_up, told.append)
    assert steps(trained) == plain
    assert ["without compiling" in each.message for each in told if isinstance(each, events.Warning)] == [True]


class Kernels(TorchDispatchMode):
    """Counts what is computed; what only looks at a tensor in another way is not."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not function.is_view
        return function(*args, **(kwargs or {}))


@pytest.mark.long
def test_a_lora_takes_fewer_kernels_than_peft_s_and_gives_the_same(
    plain: list[tuple[float, float]],
) -> None:
    ours, theirs = learner(), learner()
    linears = [each for each in theirs.denoiser.modules() if type(each) is FusedLoraLinear]
    assert len(linears) == 84
    for each in linears:
        each.__class__ = Linear
    for one, other in zip(steps(theirs), plain, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    counts = []
    for each in (ours, theirs):
        with Kernels() as kernels:
            steps(each, 1)
        counts.append(kernels.count)
    assert counts[1] - counts[0] > 3 * len(linears), counts


def test_a_linear_with_a_lora_and_its_gradients_follow_the_formula() -> None:
    randomness = torch.Generator().manual_seed(3)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=randomness, dtype=torch.float64)

    x, down, up = (each.requires_grad_() for each in (some(2, 3, 5), some(2, 5), some(4, 2)))
    weight, bias = some(4, 5), some(4)
    assert torch.allclose(_Adapted.apply(x, weight, bias, down, up, 0.3), x @ (weight + 0.3 * up @ down).T + bias)

    def both(x: torch.Tensor, down: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        return _Adapted.apply(x, weight, bias, down, up, 0.3)

    assert torch.autograd.gradcheck(both, (x, down, up))
    assert torch.autograd.gradcheck(both, (x.detach(), down, up)), "the first layer: nothing flows further back"


def test_a_lora_with_dropout_is_left_to_peft() -> None:
    assert not [each for each in learner(dropout=0.2).denoiser.modules() if type(each) is FusedLoraLinear]


@pytest.mark.long
def test_a_base_in_bf16_is_trained_without_casts_and_learns_the_same(plain: list[tuple[float, float]]) -> None:
    trained = learner(dtype=torch.bfloat16, graph="on")
    assert {each.dtype for each in trained.denoiser.parameters()} == {torch.bfloat16}
    assert trained.weights.flat.dtype is torch.float32
    halved = steps(trained)
    assert [loss for loss, _ in halved] == pytest.approx([loss for loss, _ in plain], rel=0.05)
    assert all(each.dtype is torch.float32 for state in trained.lora().values() for each in state.values())


def test_many_long_captions_stay_off_the_card_until_their_step(monkeypatch: pytest.MonkeyPatch) -> None:
    data = drawn(load_base(find_base(BaseSettings(model="demo"))).denoiser)
    near = data.to("meta", torch.bfloat16)
    assert {each.device.type for each in near.text.values()} == {"meta"}
    monkeypatch.setattr(tensors, "MOST_TEXT_BYTES", 1000)
    far = replace(data, repeats=data.repeats).to("meta", torch.bfloat16)
    assert {each.device.type for each in far.text.values()} == {"cpu"}
    assert {each.device.type for each in (*far.latents, *far.image.values(), far.captions)} == {"meta"}
    for name, texts in far.text.items():
        assert torch.equal(texts, data.text[name].bfloat16())
        assert torch.equal(tensors.gathered(texts, [2, 0, 2], pinned=False), texts[torch.tensor([2, 0, 2])])
    monkeypatch.setattr(TrainingData, "seen", data.seen)
    monkeypatch.setattr(TrainingData, "_captions", [[1], [2], [1], [2]])
    monkeypatch.setattr(TrainingData, "_rows", [0, 1, 0, 1])
    monkeypatch.setattr(TrainingData, "_any_regularisation", True)
    batch = far.batch([0, 1], [False, True])
    assert batch.text is not None
    assert {(each.device.type, len(each)) for each in batch.text.values()} == {("meta", 2)}
