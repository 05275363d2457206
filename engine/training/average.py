"""The moving average of the weights while they are learnt, smoother than the last step's. Needs torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from engine.training.lora_names import Part


class Average:
    """An exponential moving average; its decay grows with the steps, to forget the first.

    The growth, min(decay, (1 + n) / (10 + n)) at update n, is that of TensorFlow's ``ExponentialMovingAverage``.

    Args:
        parts: the weights of each part, by name.
        parameters: the same weights, in the order that they are updated in.
        decay: how much stays at each step, 0 to 1.
    """

    def __init__(
        self, parts: Mapping[Part, Mapping[str, torch.Tensor]], parameters: Sequence[torch.Tensor], decay: float
    ) -> None:
        self._decay = decay
        self._updates = 0
        names = {each.data_ptr(): (part, name) for part, state in parts.items() for name, each in state.items()}
        self._names = [names[each.data_ptr()] for each in parameters]
        self._averages = [each.detach().clone() for each in parameters]

    @torch.no_grad()
    def update(self, parameters: Sequence[torch.Tensor]) -> None:
        """Takes in the parameters after a step, in their order."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        torch._foreach_lerp_(self._averages, [each.detach() for each in parameters], 1 - decay)

    def weights(self) -> dict[Part, dict[str, torch.Tensor]]:
        """The averages of each part, by name."""
        found: dict[Part, dict[str, torch.Tensor]] = {}
        for (part, name), average in zip(self._names, self._averages, strict=True):
            found.setdefault(part, {})[name] = average
        return found

    def memory(self) -> dict[str, torch.Tensor]:
        """The averages, and how many steps they have seen."""
        named = {f"{part}{name}": each for part, state in self.weights().items() for name, each in state.items()}
        return {**named, "updates": torch.tensor(self._updates)}

    @torch.no_grad()
    def remember(self, memory: Mapping[str, torch.Tensor]) -> None:
        """Goes to where ``memory`` was taken."""
        self._updates = int(memory["updates"])
        for (part, name), average in zip(self._names, self._averages, strict=True):
            average.copy_(memory[f"{part}{name}"])
