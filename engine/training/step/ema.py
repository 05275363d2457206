"""The moving average of the weights while they are learnt, smoother than the last step's. Needs torch."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from engine.training.step.flat_parameters import FlatParameters, Named


class Ema:
    """An exponential moving average; its decay grows with the steps, to forget the first.

    The growth, min(decay, (1 + n) / (10 + n)) at update n, is that of TensorFlow's ``ExponentialMovingAverage``.

    Args:
        weights: what is averaged, as they are now.
        decay: how much stays at each step, 0 to 1.
    """

    def __init__(self, weights: FlatParameters, decay: float) -> None:
        self._weights, self._decay = weights, decay
        self._updates = 0
        self.flat = weights.flat.clone()
        """The averages, lying as the weights do."""

    def update(self) -> None:
        """Takes in the weights after a step."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        self.flat.lerp_(self._weights.flat, 1 - decay)

    def weights(self) -> Named:
        """The averages of each part, by name."""
        return self._weights.named(self.flat)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The averages, and how many steps they have seen."""
        named = {f"{part}{name}": each for part, state in self.weights().items() for name, each in state.items()}
        return {**named, "updates": torch.tensor(self._updates)}

    def load_state(self, memory: Mapping[str, torch.Tensor]) -> None:
        """Goes to where ``memory`` was taken."""
        self._updates = int(memory["updates"])
        for part, state in self.weights().items():
            for name, average in state.items():
                average.copy_(memory[f"{part}{name}"])
