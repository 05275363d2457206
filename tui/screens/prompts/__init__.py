"""Screen 5: prompts and their variations."""
