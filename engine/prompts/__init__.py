"""Prompts: variations by a small grammar, and the shelf that keeps them."""
