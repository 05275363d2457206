"""Benchmarks: what a CPU can measure, each against the honest best of what it stands against."""
