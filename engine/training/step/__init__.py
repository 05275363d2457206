"""One training step: loss, randomness, optimizer, and how it is computed."""
