"""The moving average of the weights while they are learnt, smoother than the last step's. Needs torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch


class Average:
    """An exponential moving average of some parameters; its decay grows with the steps, to forget the first.

    The growth, min(decay, (1 + n) / (10 + n)) at update n, is that of TensorFlow's ``ExponentialMovingAverage``.
    """

    def __init__(self, parameters: Mapping[str, torch.Tensor], decay: float) -> None:
        self._decay = decay
        self._updates = 0
        self._names = list(parameters)
        self._averages = [each.detach().clone() for each in parameters.values()]

    @torch.no_grad()
    def update(self, parameters: Sequence[torch.Tensor]) -> None:
        """Takes in the parameters after a step, in the order that they were first given."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        torch._foreach_lerp_(self._averages, [each.detach() for each in parameters], 1 - decay)

    def weights(self) -> dict[str, torch.Tensor]:
        """The averages by name."""
        return dict(zip(self._names, self._averages, strict=True))

    def memory(self) -> dict[str, torch.Tensor]:
        """The averages, and how many steps they have seen."""
        return {**self.weights(), "updates": torch.tensor(self._updates)}

    @torch.no_grad()
    def remember(self, memory: Mapping[str, torch.Tensor]) -> None:
        """Goes to where ``memory`` was taken."""
        self._updates = int(memory["updates"])
        for name, average in zip(self._names, self._averages, strict=True):
            average.copy_(memory[name])
