"""Photos: opened upright and in sRGB; boxes and crops on them."""
