"""The painter: the process that keeps the model loaded, and what it paints with."""
