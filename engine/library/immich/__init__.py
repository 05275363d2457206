"""Immich as a library: people, faces and photos by its own API, read only."""
