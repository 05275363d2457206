"""Screen 3: images, captions, tags."""
