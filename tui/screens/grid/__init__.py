"""The grid (X/Y plot)."""
