"""The library's password: from the environment or the keyring, never from a file or a command line of ours."""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import LibraryError
from engine.library.address import LibraryAddress
from engine.secrets import PASSWORD_VARIABLE
from engine.security.trust import check_confirmed

SERVICE = "limner"
"""Under which name the keyring keeps passwords; the user's name there is the address."""


def find_password(address: LibraryAddress, root: Path | None) -> str | None:
    """The password (over HTTP the app password, too) from the environment, else from the keyring, else None. SQLite
    and a folder need none.

    A machine without a keyring, or with a broken one, is the same as an empty keyring.

    Args:
        address: the library's.
        root: the folder of the project whose settings name it; None: the user typed it just now.

    Raises:
        NotConfirmed: nobody confirmed this address for this project.
    """
    if not address.is_server:
        return None
    check_library(root, address)
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    import keyring

    try:
        kept: str | None = keyring.get_password(SERVICE, address.url)
        return kept
    except Exception:
        # Back ends raise whatever their desktop's services raise; none of it should stop a scan.
        return None


def check_library(root: Path | None, address: LibraryAddress) -> None:
    """Raises NotConfirmed where the project in ``root`` may not ask this server."""
    if root is not None and address.is_server:
        check_confirmed(root, address.url, "library")


def save_password(address: LibraryAddress, password: str) -> None:
    """Keeps the password in the user's keyring.

    Raises:
        LibraryError: this machine has no keyring that works.
    """
    import keyring

    try:
        keyring.set_password(SERVICE, address.url, password)
    except Exception as error:
        raise LibraryError(
            f"the password can't be saved: this machine has no working keyring ({type(error).__name__})",
            f"set {PASSWORD_VARIABLE} instead",
        ) from error
