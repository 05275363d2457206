"""The SDXL family: loading, shape, arithmetic and memory."""
