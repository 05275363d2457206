"""A plain folder of photos as a library."""
