"""Training a LoRA: plan, caches, the trainer, its checkpoints, and what a run stands at."""
