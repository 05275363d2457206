"""How much painted pictures are like the person."""
