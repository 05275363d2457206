"""A U-Net whose repeated blocks are compiled: each sort of block once, as diffusers' regional compilation does it.

Needs torch. Compiling takes a minute or so, and what is compiled may fail only when it is first used; so it can be
undone at any time, and is left aside while a picture is painted, for which it would be compiled anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

MOST_SHAPES = 64
"""Ways that one block may be compiled in: SDXL has two widths of them, and each bucket is another shape."""

BACKEND = "inductor"
"""What compiles, of ``torch.compile``'s backends."""


class CompiledBlocks:
    """The transformer blocks of a U-Net, compiled.

    Args:
        unet: a diffusers model that knows its repeated blocks.
        backend: what compiles, by name or as a function; None: ``BACKEND``.

    Raises:
        Exception: there are none, or no compiler, as diffusers and torch rate them.
    """

    def __init__(self, unet: Any, backend: Any = None) -> None:
        import torch._dynamo

        limit = "recompile_limit" if hasattr(torch._dynamo.config, "recompile_limit") else "cache_size_limit"
        setattr(torch._dynamo.config, limit, max(getattr(torch._dynamo.config, limit), MOST_SHAPES))
        unet.compile_repeated_blocks(dynamic=False, backend=backend or BACKEND)
        self._calls = {each: each._compiled_call_impl for each in unet.modules() if each._compiled_call_impl}

    def __len__(self) -> int:
        return len(self._calls)

    def undo(self) -> None:
        """Makes them what they were."""
        for each in self._calls:
            each._compiled_call_impl = None

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Leaves them as they were for a while."""
        self.undo()
        try:
            yield
        finally:
            for each, call in self._calls.items():
                each._compiled_call_impl = call
