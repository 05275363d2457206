"""Screen 2: the faces."""
