"""A step's figures on their way from the device, so that nobody waits for them. Needs torch.

A card works behind the CPU. Copied into pinned memory behind an event, figures are there once the card has come to
them, while the next steps are already queued.
"""

from __future__ import annotations

import torch


class Reading:
    """The loss of a step and the norm of its gradient.

    Args:
        loss: a scalar on the device.
        gradient: another.
    """

    def __init__(self, loss: torch.Tensor, gradient: torch.Tensor) -> None:
        self._values = torch.stack((loss, gradient))
        self._event: torch.cuda.Event | None = None
        if self._values.is_cuda:
            there, self._values = self._values, torch.empty(2, pin_memory=True)
            self._values.copy_(there, non_blocking=True)
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record()

    @property
    def here(self) -> bool:
        """Whether they have arrived."""
        return self._event is None or bool(self._event.query())  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        """Until they have arrived; what was queued after them goes on."""
        if self._event is not None:
            self._event.synchronize()

    def figures(self) -> tuple[float, float]:
        """The loss and the norm, once they have arrived."""
        self.wait()
        loss, gradient = self._values.tolist()
        return loss, gradient
