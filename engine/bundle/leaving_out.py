"""What does not travel: where the library is, whom it calls the person, and paths and addresses of this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import tomlkit

from engine.jobs.folder import JobFolder
from engine.project import Project
from engine.security.secret_check import holds_secret
from engine.storage.untrusted_files import parse_json, parse_toml, read_text

PERSON_KEYS = ("name", "uid")
"""What the library calls the person; the trigger word is all that training needs."""

ADDRESS = "url"
"""What settings call a server's address: private however it is spelt, since parsers pass over line breaks in one."""

MADE_WITH = ("base", "training")
"""Parts of the settings that belong to a run, paths and all: they say what it was made with."""


@dataclass(frozen=True)
class Left:
    """A file's new bytes, and the settings that were taken out of it."""

    data: bytes
    keys: tuple[str, ...] = ()


def settings_file(project: Project, with_library: bool) -> Left:
    """``limner.toml`` as it travels; the user's comments stay, but those of the library's part."""
    project.settings  # noqa: B018 - a broken file is told now, not on the other machine
    document = tomlkit.parse(read_text(project.settings_path))
    plain = parse_toml(read_text(project.settings_path))
    gone: list[str] = []
    if not with_library:
        if "library" in document:
            del document["library"]
        for section, key in _left_out(plain):
            table: Any = document[section]
            del table[key]
            if section != "person":
                gone.append(f"{section}.{key}")
    return Left(tomlkit.dumps(document).encode("utf-8"), tuple(gone))


def run_order(job: JobFolder, with_library: bool) -> bytes:
    """A run's ``job.json`` as it travels: resumed elsewhere, it belongs to the project there."""
    order = job.read_order()
    args = dict(order.args)
    settings = args.get("settings")
    if isinstance(settings, dict) and not with_library:
        kept = {name: dict(part) if isinstance(part, dict) else part for name, part in settings.items()}
        kept.pop("library", None)
        for section, key in _left_out(settings):
            if section not in MADE_WITH or holds_secret(str(settings[section][key])):
                kept[section].pop(key)
        args["settings"] = kept
    record = {"kind": order.kind.value, "project": "", "args": args}
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def manifest_file(path: Path, with_library: bool) -> bytes:
    """The dataset's ``manifest.json`` without the photos' paths."""
    data = path.read_bytes()
    if with_library:
        return data
    record = parse_json(data)
    for image in record.get("images", []):
        image["source"] = PurePosixPath(str(image.get("source", ""))).suffix
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def _left_out(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Section and key of what is this machine's alone."""
    found = [("person", key) for key in PERSON_KEYS if key in settings.get("person", {})]
    for section, table in settings.items():
        if section not in ("library", "person") and isinstance(table, Mapping):
            found += [(section, key) for key, value in table.items() if key == ADDRESS or _is_private(value)]
    return found


def _is_private(value: object) -> bool:
    """Whether a setting is a path or an address."""
    if not isinstance(value, str):
        return False
    return value.startswith(("/", "~", "file:")) or "://" in value or ".." in value.split("/") or holds_secret(value)
