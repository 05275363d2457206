"""The library's password: from the environment or the keyring, never from a file or a command line of ours."""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import LibraryError
from engine.library.address import LibraryAddress, parse_address
from engine.library.registry import check_library, kind_of

SERVICE = "limner"
"""Under which name the keyring keeps passwords; the user's name there is the address."""


def find_password(address: LibraryAddress, root: Path | None) -> str | None:
    """The password (or app password, or API key) from the environment, else from the keyring, else None. SQLite and a
    folder need none.

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
    variable = kind_of(address).secret_variable
    if variable in os.environ:
        return os.environ[variable]
    import keyring

    try:
        kept: str | None = keyring.get_password(SERVICE, address.url)
        return kept
    except Exception:
        # Back ends raise whatever their desktop's services raise; none of it should stop a scan.
        return None


def save_password(address: LibraryAddress, password: str) -> None:
    """Keeps the password or key in the user's keyring.

    Raises:
        LibraryError: this machine has no keyring that works.
    """
    import keyring

    kind = kind_of(address)
    try:
        keyring.set_password(SERVICE, address.url, password)
    except Exception as error:
        raise LibraryError(
            f"the {kind.secret_name} can't be saved: this machine has no working keyring ({type(error).__name__})",
            f"set {kind.secret_variable} instead",
        ) from error


def for_a_job(url: str | None, root: Path, password: str | None) -> dict[str, str]:
    """The environment that a job gets a typed password in; no file holds it. Nothing where none was typed.

    Args:
        url: the library's address in the settings of the project in ``root``.
        root: the project's folder.
        password: what was typed.
    """
    if password is None or not url:
        return {}
    return {kind_of(parse_address(url, root)).secret_variable: password}
