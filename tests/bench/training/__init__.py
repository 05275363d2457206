"""Benchmarks of training: what diffusers' own scripts do in a step, ways to take one on a card."""
