"""The machines that this user trains on, by name. No project can name one: the list is the user's own.

It is one JSON file in the user's state folder; nothing secret is in it, for keys and known hosts are ssh's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs

from engine.errors import LimnerError
from engine.storage.atomic_files import write_text
from engine.storage.file_locks import file_lock
from engine.storage.own_files import set_aside
from engine.storage.untrusted_files import read_json

LARGEST_BYTES = 1_000_000
"""A larger list is not ours."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,252}", re.ASCII)
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,63}", re.ASCII)
_PATH = re.compile(r"[^\x00-\x1f\x7f]{1,400}")


class RemoteError(LimnerError):
    """A machine elsewhere is not there, lacks something, or says something that can't be."""


@dataclass(frozen=True)
class Box:
    """A machine that ssh reaches.

    Raises:
        RemoteError: a name, host, user, port or folder that ssh or a shell could take for something else.
    """

    name: str
    host: str
    """A host name or address, or a ``Host`` of the user's ssh configuration."""
    user: str | None = None
    port: int | None = None
    """None: as ssh's configuration says."""
    directory: str = "limner"
    """Where projects go there: relative to the home folder, or absolute."""
    program: str = "limner"
    """How Limner is called there."""
    ssh_config: str | None = None
    """A configuration file for ssh; None: the user's own."""

    def __post_init__(self) -> None:
        checks: tuple[tuple[str, str | None, re.Pattern[str]], ...] = (
            ("name", self.name, _NAME),
            ("host", self.host, _HOST),
            ("user", self.user, _USER),
            ("folder", self.directory, _PATH),
            ("program", self.program, _PATH),
            ("ssh configuration", self.ssh_config, _PATH),
        )
        for what, text, pattern in checks:
            if text is not None and not pattern.fullmatch(text):
                raise RemoteError(f"{text[:60]!r} can't be a machine's {what}", "see: limner remote add --help")
        if self.directory.startswith("-") or ".." in self.directory.split("/"):
            raise RemoteError(f"{self.directory!r} can't be a machine's folder", "give a plain path")
        if self.port is not None and not 0 < self.port < 65536:
            raise RemoteError(f"{self.port} is no port", "ports are 1 to 65535")

    @property
    def destination(self) -> str:
        """As ssh takes it: ``user@host``."""
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def address(self) -> str:
        """``ssh://user@host:port``, to read."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{self.user + '@' if self.user else ''}{host}{f':{self.port}' if self.port else ''}"


def read_address(name: str, address: str, **more: Any) -> Box:
    """A machine by its address, ``ssh://[USER@]HOST[:PORT]``.

    Args:
        name: what it is called from now on.
        address: where it is.
        more: other fields of ``Box``.

    Raises:
        RemoteError: it can't be read, or holds a password.
    """
    wrong = RemoteError(f"{address.rpartition('@')[2][:80]} is no address of a machine", "write ssh://USER@HOST:PORT")
    if not address.isprintable():
        # urlsplit passes over line breaks.
        raise wrong
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme != "ssh" or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise wrong
    if parts.password is not None:
        raise RemoteError("an ssh address holds no password here", "ssh asks for keys: leave the password out")
    return Box(name, host, parts.username, port, **more)


def boxes_file() -> Path:
    """Where the list is kept."""
    return Path(platformdirs.user_state_dir("limner", appauthor=False)) / "boxes.json"


def boxes() -> dict[str, Box]:
    """All machines, by name. A damaged list is kept aside and told.

    Raises:
        RemoteError: the list can't be read.
    """
    path = boxes_file()
    try:
        record = read_json(path, LARGEST_BYTES)
        known = {each.name for each in fields(Box)}
        found = [Box(**{key: value for key, value in one.items() if key in known}) for one in record["boxes"]]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RemoteError(f"{path} can't be read: {error.strerror}", "check its rights") from error
    except (ValueError, KeyError, TypeError, AttributeError, RemoteError) as error:
        set_aside(path)
        what = f"the list of machines was damaged and is kept as {path.name}.damaged"
        raise RemoteError(what, "add them again: limner remote add NAME ssh://USER@HOST") from error
    return {each.name: each for each in found}


def box_named(name: str) -> Box:
    """A machine by its name.

    Raises:
        RemoteError: there is none of that name.
    """
    known = boxes()
    if name not in known:
        there = f"there are: {', '.join(known)}" if known else "add one: limner remote add NAME ssh://USER@HOST"
        raise RemoteError(f"no machine is called {name[:60]}", there)
    return known[name]


def keep_box(box: Box) -> None:
    """Adds a machine, or another in place of the one of its name. Raises RemoteError."""
    _change(lambda known: {**known, box.name: box})


def forget_box(name: str) -> Box:
    """Removes a machine from the list; nothing is done there. Raises RemoteError where there is none of that name."""
    found = box_named(name)
    _change(lambda known: {key: each for key, each in known.items() if key != name})
    return found


def _change(change: Callable[[Mapping[str, Box]], Mapping[str, Box]]) -> None:
    path = boxes_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(path.with_suffix(".lock")):
        changed = change(boxes())
        record = {"boxes": [asdict(each) for each in changed.values()]}
        write_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
