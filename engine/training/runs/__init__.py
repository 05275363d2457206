"""A run's folder: starting, state, checkpoints, progress, control."""
