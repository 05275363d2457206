"""Grids of pictures: tiles, loading, the cache."""
