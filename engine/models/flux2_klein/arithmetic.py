"""How much arithmetic and memory a training step of FLUX.2 klein is, reckoned from its architecture. No torch.

Every token passes as many weights, and each of a block's sees all others. A test holds it, and the VAE's decoder, which
has SDXL's blocks, against PyTorch's ``FlopCounterMode`` on the meta device; another what is kept against what autograd
saves there.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.models.flow.arithmetic import Operations, TransformerArithmetic
from engine.models.flow.chat import MOST_TOKENS
from engine.models.flux2_klein.shape import KleinSize

DECODING = 10.5


@dataclass(frozen=True)
class KleinArithmetic(TransformerArithmetic):
    """What a step of one size of model computes and keeps."""

    size: KleinSize
    text_tokens: int = MOST_TOKENS
    decoding: float = DECODING
    kept: float = 24.9
    kept_with_dropout: float = 31.0

    def forward(self, area: float) -> Operations:
        """Each token passes the same weights, in both kinds of block."""
        tokens = self.tokens(area)
        return Operations(2 * self.size.weights_a_token * tokens, 4 * self.size.width * tokens**2 * self.size.blocks)
