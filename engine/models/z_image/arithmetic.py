"""How much arithmetic a training step of Z-Image is, reckoned from its architecture. No torch.

A test holds it, and the VAE's decoder, which has SDXL's blocks, against PyTorch's ``FlopCounterMode`` on the meta
device.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.models.flow.arithmetic import Operations, TransformerArithmetic
from engine.models.z_image.shape import ZImageSize

TEXT_TOKENS = 96
"""Of a caption of some 60 words in its chat message, filled up to a multiple of 32."""

DECODING = 10.5


@dataclass(frozen=True)
class ZImageArithmetic(TransformerArithmetic):
    """What a step of one size of model computes and keeps."""

    size: ZImageSize
    text_tokens: int = TEXT_TOKENS
    decoding: float = DECODING
    kept: float = 34.7
    kept_with_dropout: float = 47.2

    @property
    def replayable(self) -> bool:
        """No: how long each caption is decides what is computed."""
        return False

    def forward(self, area: float) -> Operations:
        """The blocks, and before them the refiners: each token passes those of its own kind."""
        blocks, refiners = self.again(area), self.size.refiners
        picture, text = self.picture_tokens(area), self.text_tokens
        return Operations(
            blocks.linears + 2 * self.size.weights_a_token * refiners * (picture + text),
            blocks.attention + 4 * self.size.width * refiners * (picture**2 + text**2),
        )

    def backward(self, area: float) -> Operations:
        """The blocks alone: refiners have no LoRA, and nothing before them has one. So the first block's q, k and v
        need no gradients of what they read."""
        blocks = self.again(area)
        unread = 2 * 3 * self.size.width**2 * self.tokens(area)
        return Operations(blocks.linears - unread, 2 * blocks.attention)

    def again(self, area: float) -> Operations:
        """The blocks alone, as nothing is computed a second time that is not gone back through."""
        tokens = self.tokens(area)
        return Operations(
            2 * self.size.weights_a_token * self.size.blocks * tokens,
            4 * self.size.width * self.size.blocks * tokens**2,
        )
