"""Where the record of rented machines is. A module of its own: every command asks whether it is there."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def ledger_file() -> Path:
    """One JSON file in the user's state folder."""
    return Path(platformdirs.user_state_dir("limner", appauthor=False)) / "rentals.json"
