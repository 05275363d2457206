"""LoRA files written anew in other programs' names."""
