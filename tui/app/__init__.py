"""The app: how it starts, what it watches, how it ends."""
