"""What the user of this machine has confirmed: addresses, project by project, and folders that belong to others.

A project's file may come from anybody: cloned, unzipped, shared. An address in it gets neither a secret nor a question
until it was typed or confirmed here, for this project. What was confirmed is kept outside of every project, in the
user's state folder.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from engine.errors import LimnerError
from engine.storage.atomic_files import write_text
from engine.storage.file_locks import file_lock
from engine.storage.own_files import set_aside
from engine.storage.untrusted_files import read_json

LARGEST_BYTES = 4_000_000
"""A larger file of confirmations is not ours."""


class NotConfirmed(LimnerError):
    """A project names an address that nobody confirmed on this machine; nothing was sent there."""

    def __init__(self, address: str, root: Path, what: str) -> None:
        super().__init__(
            f"this project names {address} as its {what}, which was never confirmed on this machine; nothing was sent",
            f"if it is yours: limner -C {shlex.quote(str(root))} trust {shlex.quote(address)}",
        )
        self.address = address
        self.root = root
        self.kind = what


@dataclass(frozen=True)
class _Confirmed:
    """What the file holds."""

    addresses: dict[str, list[str]] = field(default_factory=dict)
    """By the project's folder."""
    folders: list[str] = field(default_factory=list)
    """Projects that belong to another user."""


def trust_file() -> Path:
    """Where confirmations are kept: one JSON file, the user's alone."""
    return Path(platformdirs.user_state_dir("limner", appauthor=False)) / "confirmed.json"


def confirmed_addresses(root: Path) -> tuple[str, ...]:
    """The addresses that were confirmed for the project in ``root``, in the order in which they were."""
    return tuple(_read().addresses.get(_name(root), ()))


def confirm(root: Path, address: str) -> None:
    """From here on the project in ``root`` may talk to ``address``, in its canonical spelling.

    Raises:
        LimnerError: it can't be kept.
    """
    if address in confirmed_addresses(root):
        return
    _change(lambda all_: all_.addresses.setdefault(_name(root), []).append(address))


def forget(root: Path, address: str) -> bool:
    """Takes a confirmation back. Returns whether there was one."""
    if address not in confirmed_addresses(root):
        return False
    _change(lambda all_: all_.addresses[_name(root)].remove(address))
    return True


def check_confirmed(root: Path, address: str, what: str) -> None:
    """Raises NotConfirmed where the project in ``root`` may not talk to ``address``.

    Args:
        root: the project's folder.
        address: its canonical spelling, without a password.
        what: what it is to the project, ``library`` or ``language model``.
    """
    if address not in confirmed_addresses(root):
        raise NotConfirmed(address, root, what)


def confirm_folder(root: Path) -> None:
    """From here on the project in ``root`` is opened although it belongs to another user."""
    if not folder_confirmed(root):
        _change(lambda all_: all_.folders.append(_name(root)))


def folder_confirmed(root: Path) -> bool:
    """Whether a project is opened although it belongs to another user."""
    return _name(root) in _read().folders


def is_ours(path: Path) -> bool:
    """Whether a file or folder belongs to whoever runs this, or under sudo to whoever ran that; links are not followed.

    As git decides about ``safe.directory``: https://git-scm.com/docs/git-config#Documentation/git-config.txt-safedirectory.
    """
    owner = os.lstat(path).st_uid
    if owner == os.geteuid():
        return True
    sudo = os.environ.get("SUDO_UID", "")
    return os.geteuid() == 0 and sudo.isascii() and sudo.isdigit() and len(sudo) < 11 and owner == int(sudo)


def _name(root: Path) -> str:
    return str(root.resolve())


def _read() -> _Confirmed:
    """What was confirmed; nothing where the file can't be read, is not ours or is none."""
    path = trust_file()
    try:
        if not is_ours(path) or path.stat().st_size > LARGEST_BYTES:
            return _Confirmed()
        record = read_json(path)
        addresses = {str(root): [str(each) for each in found] for root, found in record["addresses"].items()}
        return _Confirmed(addresses, [str(each) for each in record["folders"]])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _Confirmed()


def _change(change: Callable[[_Confirmed], object]) -> None:
    path = trust_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(path.parent):
            confirmed = _read()
            if confirmed == _Confirmed():
                set_aside(path)
            change(confirmed)
            record = {"addresses": confirmed.addresses, "folders": confirmed.folders}
            write_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise LimnerError(
            f"{path} can't be written ({error.strerror}), where confirmed addresses are kept", "fix its permissions"
        ) from error
