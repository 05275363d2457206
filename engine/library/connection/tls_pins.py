"""Which servers have shown TLS: one that had it and has none any more may be somebody else, who listens."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from engine.errors import LibraryError
from engine.library.address import LibraryAddress
from engine.storage.atomic_files import write_text
from engine.storage.own_files import set_aside
from engine.storage.untrusted_files import read_text


def seen_file() -> Path:
    """A line for each server, ``host:port``."""
    return Path(platformdirs.user_state_dir("limner", appauthor=False)) / "tls-seen"


def remember_tls(address: LibraryAddress) -> None:
    """From now on this server is not believed without TLS. Where that can't be written, nothing is remembered."""
    try:
        known = _known()
    except ValueError:
        known = None
    if known is None or _name(address) not in known:
        try:
            if known is None:
                set_aside(seen_file())
            seen_file().parent.mkdir(parents=True, exist_ok=True)
            write_text(seen_file(), "".join(f"{each}\n" for each in sorted({*(known or ()), _name(address)})))
        except OSError:
            return


def check_tls_was_never_seen(address: LibraryAddress) -> None:
    """Raises LibraryError where the server had TLS before, or where that can't be known: the record is damaged."""
    try:
        had_tls = _name(address) in _known()
    except ValueError as error:
        what = f"{seen_file()} is damaged ({error}), which tells whether {address.where} had TLS before"
        raise LibraryError(what, "move it away, or write ?ssl=off to use none on purpose") from error
    if had_tls:
        raise LibraryError(
            f"{address.where} had TLS before and offers none now: somebody may be intercepting the connection",
            "ask its administrator; if TLS was turned off on purpose, write ?ssl=off",
        )


def _known() -> set[str]:
    """The servers by name. Raises ValueError for a damaged file; one that can't be opened tells nothing."""
    try:
        return set(read_text(seen_file()).splitlines())
    except OSError:
        return set()


def _name(address: LibraryAddress) -> str:
    return f"{address.host}:{address.port}"
