"""The demo: a drawn photo library with its index, and a tiny base model that really learns."""
