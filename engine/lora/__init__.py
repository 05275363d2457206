"""LoRA files: reading, writing, names of modules, and what other programs make of them."""
