"""How LoRA files for families of transformers name their modules, and what other programs make of them."""
