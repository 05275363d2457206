"""Limner itself as a wheel, from what runs here: so the other machine gets the same version, and no index is needed.

A wheel is a zip file with a record of its own: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

import base64
import hashlib
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import engine
from engine import __version__
from engine.errors import LimnerError

ROOT = Path(engine.__file__).resolve().parents[1]
"""Where the packages lie: a source tree, or an environment's folder of packages."""

WHEN = (2026, 1, 1, 0, 0, 0)
"""The time of all files in it: the same Limner gives the same wheel."""

WHEEL = "Wheel-Version: 1.0\nGenerator: limner\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(folder: Path) -> Path:
    """Writes the wheel. Returns its path.

    Args:
        folder: where it goes.

    Raises:
        LimnerError: the file is missing that lists what Limner needs.
    """
    project = _project()
    path = folder / f"limner-{__version__}-py3-none-any.whl"
    info = f"limner-{__version__}.dist-info"
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in sorted((*_files(), *_about(project, info))):
            wheel.writestr(zipfile.ZipInfo(name, WHEN), data, zipfile.ZIP_DEFLATED)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(data)}\n")
        record.append(f"{info}/RECORD,,\n")
        wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD", WHEN), "".join(record), zipfile.ZIP_DEFLATED)
    return path


def _files() -> Iterator[tuple[str, bytes]]:
    """All that a wheel has of the packages, as ``pyproject.toml`` says."""
    for package in ("engine", "tui"):
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_bytes()
    if not (ROOT / "tui" / "themes").is_dir():
        for path in sorted((ROOT / "themes").rglob("*")):
            if path.is_file():
                yield f"tui/{path.relative_to(ROOT).as_posix()}", path.read_bytes()
    if not (ROOT / "engine" / "pyproject.toml").is_file():
        yield "engine/pyproject.toml", (ROOT / "pyproject.toml").read_bytes()


def _about(project: dict[str, Any], info: str) -> Iterator[tuple[str, bytes]]:
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {project['name']}",
        f"Version: {__version__}",
        f"Summary: {project['description']}",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {each}" for each in project["dependencies"]),
    ]
    scripts = "".join(f"{name} = {place}\n" for name, place in project["scripts"].items())
    yield f"{info}/METADATA", ("\n".join(lines) + "\n").encode()
    yield f"{info}/WHEEL", WHEEL.encode()
    yield f"{info}/entry_points.txt", f"[console_scripts]\n{scripts}".encode()


def _project() -> dict[str, Any]:
    """What ``pyproject.toml`` says of the whole Limner; a wheel has it inside."""
    for path in (ROOT / "engine" / "pyproject.toml", ROOT / "pyproject.toml"):
        if path.is_file():
            found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
            return found
    raise LimnerError("this Limner does not know what it needs elsewhere", "install it anew")
