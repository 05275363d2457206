"""Themes, keys and the user's own configuration."""
