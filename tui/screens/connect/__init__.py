"""Screen 1: the library and the person."""
