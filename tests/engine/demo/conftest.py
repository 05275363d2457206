"""The demo library is drawn once for all tests that read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.demo.library import DrawnLibrary, draw_library


@pytest.fixture(scope="package")
def drawn_library(tmp_path_factory: pytest.TempPathFactory) -> DrawnLibrary:
    folder: Path = tmp_path_factory.mktemp("photos")
    return draw_library(folder)
