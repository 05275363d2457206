"""All that is trained lies in one tensor, and is moved as if each matrix were moved by itself."""

from __future__ import annotations

import copy

import pytest
import torch

from engine.errors import TrainingError
from engine.lora.module_names import Part
from engine.settings import Optimizer, TrainingSettings
from engine.training.step.ema import Ema
from engine.training.step.flat_parameters import FlatParameters
from engine.training.step.optimizers import make_optimizer, memory_of, remember

SETTINGS = TrainingSettings(learning_rate=1e-2)


class Pair(torch.nn.Module):
    """A U-Net's and a text encoder's trained matrices, and one that no pass reaches."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.down, self.up = torch.nn.Linear(6, 3, bias=False), torch.nn.Linear(3, 5, bias=False)
        self.text, self.idle = torch.nn.Linear(6, 6, bias=False), torch.nn.Linear(4, 2, bias=False)

    def groups(self) -> list[list[torch.nn.Parameter]]:
        return [[self.down.weight, self.up.weight], [self.text.weight, self.idle.weight]]

    def weights(self, dtype: torch.dtype = torch.float32) -> FlatParameters:
        unet = {"down": self.down.weight, "up": self.up.weight}
        return FlatParameters({Part.UNET: unet, Part.TE1: {"text": self.text.weight, "idle": self.idle.weight}},
                       self.groups(), dtype)  # fmt: skip

    def backward(self, step: int) -> None:
        x = torch.randn(4, 6, generator=torch.Generator().manual_seed(step)).to(self.down.weight.dtype)
        self.up(self.down(self.text(x))).float().square().mean().backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("kind", [Optimizer.ADAMW, Optimizer.ADAFACTOR])
def test_steps_and_the_norm_are_those_of_the_matrices_each_by_itself(kind: Optimizer) -> None:
    apart = Pair()
    together = copy.deepcopy(apart)
    weights = together.weights()
    one = make_optimizer(kind, [{"params": group} for group in apart.groups()], SETTINGS, "cpu")
    flat = make_optimizer(kind, weights.param_groups(kind), SETTINGS, "cpu")
    assert [len(group["params"]) for group in flat.param_groups] == ([2, 2] if kind is Optimizer.ADAFACTOR else [1, 1])
    for optimizer in (one, flat):
        optimizer.param_groups[1]["lr"] = 1e-3
    for step in range(5):
        for passed in (0, 1):
            apart.backward(2 * step + passed)
            together.backward(2 * step + passed)
            weights.collect_grads(whole=False)
            weights.accumulate(first=passed == 0, whole=False)
        norm = torch.nn.utils.clip_grad_norm_(apart.parameters(), 1e-3)
        assert torch.allclose(weights.clip(1e-3), norm)
        one.step()
        flat.step()
        one.zero_grad()
    for ours, theirs in zip(together.parameters(), apart.parameters(), strict=True):
        # A matrix that no pass reached is moved by weight decay here and left alone there.
        if theirs is not apart.idle.weight:
            assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_a_half_precision_model_sees_each_step_and_weights_stay_exact() -> None:
    model = Pair()
    weights = model.weights(torch.bfloat16)
    assert model.down.weight.dtype is torch.bfloat16
    assert weights.flat.dtype is torch.float32
    before = weights.flat.clone()
    model.backward(0)
    weights.collect_grads(whole=True)
    weights.accumulate(first=True, whole=True)
    once = weights.gradient.clone()
    model.backward(0)
    weights.collect_grads(whole=False)
    weights.accumulate(first=False, whole=False)
    assert torch.equal(weights.gradient, once * 2)
    assert once.abs().sum() > 0
    # Smaller than what bf16 can tell apart: only the exact weights gather it.
    weights.flat += 1e-5
    weights.sync_compute_copy()
    assert torch.equal(model.down.weight.flatten(), weights.flat[:18].bfloat16())
    assert torch.allclose(weights.flat - before, torch.full_like(before, 1e-5), atol=1e-7)


def test_parts_are_taken_and_put_by_name_and_what_has_no_place_is_refused() -> None:
    model = Pair()
    weights = model.weights()
    average = Ema(weights, 0.9)
    assert {part: list(state) for part, state in weights.named().items()} == {
        Part.UNET: ["down", "up"],
        Part.TE1: ["text", "idle"],
    }
    weights.load_state({Part.UNET: {"up": torch.full((5, 3), 2.0)}})
    assert torch.equal(model.up.weight, torch.full((5, 3), 2.0))
    average.update()
    assert average.weights()[Part.UNET]["up"].mean() > 0.9 * 2 * 0.9
    assert torch.equal(average.weights()[Part.UNET]["down"], model.down.weight)
    with pytest.raises(ValueError, match="sideways"):
        weights.load_state({Part.UNET: {"sideways": torch.ones(1)}})


def test_a_state_of_an_older_form_is_refused_with_what_to_do() -> None:
    model = Pair()
    old = make_optimizer(Optimizer.ADAMW, list(model.parameters()), SETTINGS, "cpu")
    model.backward(0)
    old.step()
    kind = Optimizer.ADAMW
    with pytest.raises(TrainingError, match=r"older Limner.*training\.network_weights"):
        remember(make_optimizer(kind, model.weights().param_groups(kind), SETTINGS, "cpu"), *memory_of(old))
