"""Makes base models of SDXL's architecture: the tiny one that comes with Limner, and one of SDXL's size to measure."""
