"""How a connection to a library's server is encrypted, and whom it is believed to be."""

from __future__ import annotations

import ssl

from engine.errors import LibraryError
from engine.library.address import LibraryAddress, Tls


def web_context(address: LibraryAddress) -> ssl.SSLContext | None:
    """For a library's web interface: verified unless the address says otherwise; None for ``http://``.

    Raises:
        LibraryError: the file of certificates can't be read.
    """
    return _context(address) if address.site.startswith("https://") else None


def database_context(address: LibraryAddress) -> ssl.SSLContext | None:
    """For MariaDB and MySQL; None: as the driver does it, encrypted where it is offered and nobody verified.

    A server on this machine (or behind a tunnel, which looks like it) is not verified unless it is asked for: such a
    connection does not leave the machine, or the tunnel has verified it, and its certificate names another host.

    Raises:
        LibraryError: the file of certificates can't be read.
    """
    asked = address.tls in (Tls.REQUIRED, Tls.UNVERIFIED) or address.ca is not None
    return _context(address) if asked or not address.local else None


def _context(address: LibraryAddress) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(address.ca) if address.ca else None)
    except (OSError, ssl.SSLError) as error:
        raise LibraryError(f"{address.ca} holds no certificates ({error})", "give a PEM file with ?ssl_ca=") from error
    if address.tls is Tls.UNVERIFIED:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def told_of(address: LibraryAddress, encrypted: bool) -> tuple[str, ...]:
    """What a person should know of a connection that leaves this machine; nothing where all is well."""
    if address.local:
        return ()
    if not encrypted:
        return (f"the connection to {address.where} is not encrypted: others on the network can read it",)
    if address.tls is Tls.UNVERIFIED:
        return (
            f"it was not verified that {address.where} is your server: leave ssl=unverified out, or give ?ssl_ca=FILE",
        )
    return ()
