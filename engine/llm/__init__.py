"""Talking to models that run elsewhere, by the protocol that most of their servers speak."""
