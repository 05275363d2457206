"""A distilled sibling of the tests' base of FLUX.2 klein's architecture, as klein-4B is one of klein-base-4B."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.tiny_klein import tiny_klein


def distilled_klein(folder: Path, seed: int = 1) -> Path:
    """Write one to `folder`: other random weights, and a `model_index.json` that says what it is."""
    tiny_klein(folder, seed)
    index = folder / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "is_distilled": True}))
    return folder
