"""Which servers have shown TLS: one that had it and has none any more may be somebody else, who listens."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from engine.errors import LibraryError
from engine.library.address import LibraryAddress
from engine.storage.atomic_files import write_text
from engine.storage.untrusted_files import read_text


def seen_file() -> Path:
    """A line for each server, ``host:port``."""
    return Path(platformdirs.user_state_dir("limner", appauthor=False)) / "tls-seen"


def remember_tls(address: LibraryAddress) -> None:
    """From now on this server is not believed without TLS. Where that can't be written, nothing is remembered."""
    known = _known()
    if _name(address) not in known:
        try:
            seen_file().parent.mkdir(parents=True, exist_ok=True)
            write_text(seen_file(), "".join(f"{each}\n" for each in sorted({*known, _name(address)})))
        except OSError:
            return


def check_tls_was_never_seen(address: LibraryAddress) -> None:
    """Raises LibraryError where the server had TLS before."""
    if _name(address) in _known():
        raise LibraryError(
            f"{address.where} had TLS before and offers none now: somebody may be intercepting the connection",
            "ask its administrator; if TLS was turned off on purpose, write ?ssl=off",
        )


def _known() -> set[str]:
    try:
        return set(read_text(seen_file()).splitlines())
    except (OSError, ValueError):
        return set()


def _name(address: LibraryAddress) -> str:
    return f"{address.host}:{address.port}"
