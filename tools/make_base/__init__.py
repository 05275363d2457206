"""Makes base models of the architectures of SDXL and FLUX.2 klein: tiny ones, and ones of full size to measure."""
