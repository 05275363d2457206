"""The command that brings a far database's port to this machine."""

from __future__ import annotations

import shlex

from engine.library.address import LibraryAddress

LOCAL_PORT = 3306


def tunnel_to(address: LibraryAddress, through: str | None = None) -> str:
    """The exact commands: the tunnel, and what to connect to then.

    Args:
        address: the database's.
        through: the machine to log in to; None: the one that the database runs on.

    ``-L`` is https://man.openbsd.org/ssh#L; the far end is named as that machine itself sees it.
    """
    if not address.database:
        return ""
    near = address.port if address.local else LOCAL_PORT
    far = address.port
    tunnel = f"ssh -N -L {near}:127.0.0.1:{far} {shlex.quote(through or address.host)}"
    return f"{tunnel}, then limner connect mysql://{address.user}@127.0.0.1:{near}/{address.database}"
