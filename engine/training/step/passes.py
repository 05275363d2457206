"""One pass of a step, forward and backward: plain, or replayed from buffers that never move. Needs torch.

At small batches a card waits for the CPU, which launches thousands of kernels a step. A CUDA graph launches all of a
pass at once; it needs its tensors to stay where they are, so each batch is copied into the graph's own. One graph is
kept for each shape of a batch. Clipping, the optimizer and the average stay outside: they are a dozen kernels, which
the CPU launches while the card is still busy with the pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from engine import events
from engine.training.data.batch import Batch
from engine.training.step.memory_fallback import is_out_of_memory
from engine.training.step.randomness import StepRandomness

Work = Callable[[Batch, StepRandomness, float], torch.Tensor]
"""Goes forward and back over a batch, which counts as that share of its step; returns its part of the step's loss."""

Key = tuple[object, ...]
"""What a graph is made for: shapes, types, and the share."""

MOST_GRAPHS = 8
"""Shapes that are replayed; further ones are computed as they come, since each graph takes memory."""

WARM_UPS = 3
"""Passes before one is captured, so that libraries have chosen their kernels and made their workspaces."""

TRIALS = 3
"""Passes and replays that are timed against each other."""


class GraphedPass:
    """A pass over batches of one shape, in buffers of its own.

    Args:
        work: the pass.
        batch: the first of its shape.
        randomness: its random draws, on the same device.
        share: of its step.
    """

    def __init__(self, work: Work, batch: Batch, randomness: StepRandomness, share: float) -> None:
        self._work, self._share = work, share
        self._batch = batch.with_tensors({name: value.clone() for name, value in batch.tensors().items()})
        self._randomness = replace(randomness, timesteps=randomness.timesteps.clone(), noises=randomness.noises.clone())
        self._graph: torch.cuda.CUDAGraph | None = None
        self._loss = torch.zeros(())

    def __call__(self, batch: Batch, randomness: StepRandomness) -> torch.Tensor:
        """Does the pass over another batch of the same shape; its loss stays until the next call."""
        theirs = batch.tensors()
        for name, mine in self._batch.tensors().items():
            mine.copy_(theirs[name])
        self._randomness.timesteps.copy_(randomness.timesteps)
        self._randomness.noises.copy_(randomness.noises)
        self.run()
        return self._loss

    def run(self) -> None:
        """Does the pass over what the buffers hold."""
        if self._graph is None:
            self._loss = self._work(self._batch, self._randomness, self._share)
        else:
            self._graph.replay()

    def capture(self, pool: Any) -> None:
        """Records the pass as a CUDA graph. Raises whatever CUDA refuses."""
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                self.run()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # Only this thread is watched: another one writes checkpoints meanwhile.
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            self.run()
        self._graph = graph


class PassRunner:
    """Does passes, each in the way that suits it; a way that fails is given up and told, and the pass done plainly.

    Args:
        work: a pass as it comes.
        replay: whether passes are replayed.
        capture: whether that is by CUDA graphs; false: from the same buffers, without any.
        give_up: undoes what the work was sped up with; returns whether there was anything.
        tell: takes what a person should know.
    """

    def __init__(
        self,
        work: Work,
        replay: bool,
        capture: bool,
        give_up: Callable[[], bool],
        tell: Callable[[events.Event], None],
    ) -> None:
        self._work, self._replay, self._capture, self._give_up, self._tell = work, replay, capture, give_up, tell
        self._kept: dict[Key, GraphedPass | None] = {}
        self._pool: Any = None

    def __call__(self, batch: Batch, randomness: StepRandomness, share: float) -> torch.Tensor:
        """Goes forward and back over a batch; returns its part of the step's loss, which stays until the next pass."""
        if self._replay:
            key = _key(batch, share)
            if key in self._kept:
                known = self._kept[key] or self._make(key, batch, randomness, share)
                if known is not None:
                    return known(batch, randomness)
            elif len(self._kept) < MOST_GRAPHS:
                # The first of its shape is done as it comes; a shape that comes again is worth a graph.
                self._kept[key] = None
        return self._plain(batch, randomness, share)

    def forget(self) -> None:
        """Lets go of all graphs and their memory: what they were made of has changed."""
        self._kept.clear()
        self._pool = None

    def _plain(self, batch: Batch, randomness: StepRandomness, share: float) -> torch.Tensor:
        try:
            return self._work(batch, randomness, share)
        except Exception as error:
            if is_out_of_memory(error) or not self._give_up():
                raise
            self._tell(events.Warning(f"training continues without compiling, which failed: {_words(error)}"))
        return self._work(batch, randomness, share)

    def _make(self, key: Key, batch: Batch, randomness: StepRandomness, share: float) -> GraphedPass | None:
        """The pass for a shape; None where it is better done as it comes, now and from here on."""
        made = GraphedPass(self._work, batch, randomness, share)
        try:
            if self._capture:
                self._pool = self._pool or torch.cuda.graph_pool_handle()
                plain = _seconds(made.run)
                made.capture(self._pool)
                replayed = _seconds(made.run)
                if replayed >= plain:
                    why = f"a replayed pass takes {replayed * 1000:.0f} ms, an ordinary one {plain * 1000:.0f}"
                    raise _Slower(why)
        except Exception as error:
            self._replay = False
            self.forget()
            what = "" if isinstance(error, _Slower) else "capturing one failed: "
            self._tell(events.Warning(f"training continues without CUDA graphs: {what}{_words(error)}"))
            return None
        self._kept[key] = made
        return made


class _Slower(Exception):
    """A graph did not pay."""


def _key(batch: Batch, share: float) -> Key:
    return (share, *((name, tuple(value.shape), value.dtype) for name, value in batch.tensors().items()))


def _seconds(work: Callable[[], None]) -> float:
    """How long something takes on the card."""
    work()
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(TRIALS):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - began) / TRIALS


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
