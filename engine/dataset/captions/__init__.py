"""Captioners, clean-up, bulk edits and their undo."""
