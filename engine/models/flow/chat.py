"""The chat message in which Qwen3 reads a prompt, and how much of it is seen. No torch."""

from __future__ import annotations

MOST_TOKENS = 512
"""``max_sequence_length`` of diffusers' pipelines."""

THINKING = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
"""What Qwen3's chat template makes of a prompt."""

NOT_THINKING = THINKING + "<think>\n\n</think>\n\n"
"""The same where it is not to think."""

HUB_FILES = ("*.json", "*.txt", "*.jinja", "*/*.safetensors")
"""What of a hub's model is needed: not what lies beside its parts, which is the transformer once more."""
