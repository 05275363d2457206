"""What it means to the user that no connection came about, or that one broke."""

from __future__ import annotations

import http.client
import socket
import ssl

from engine.errors import HostUnreachable, LibraryError
from engine.library.address import LibraryAddress
from engine.library.connection.tunnel import tunnel_to
from engine.network.deadlines import Left, TooSlow, Unbounded

CONNECT_SECONDS = 5
"""How long a server may take to answer before it counts as not there."""


def unreachable(reason: BaseException, address: LibraryAddress) -> LibraryError:
    """What it means that no connection came about, or that one broke."""
    where, web = address.where, bool(address.site)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return _not_verified(reason, address)
    if isinstance(reason, ssl.SSLError):
        return HostUnreachable(
            f"{where} can't be reached over an encrypted connection ({reason.reason})", "check scheme and port"
        )
    if isinstance(reason, socket.gaierror):
        fix = "check the host in the address"
        inside = "." not in address.host and ":" not in address.host and not web
        if inside:
            fix += f"; a container's name only works inside Docker: {tunnel_to(address, 'PHOTOPRISM-HOST')}"
        return HostUnreachable(f"there is no host called {address.host}", fix)
    if isinstance(reason, Unbounded):
        return LibraryError(f"{where} answered with {reason}", "check the address and the server's log")
    if isinstance(reason, TooSlow):
        return HostUnreachable(
            f"{where} answers without end, or too slowly", "check what is between here and there, and try again"
        )
    if isinstance(reason, Left):
        return HostUnreachable(f"{where} was cancelled before it answered")
    if isinstance(reason, TimeoutError):
        fix = "check host and port, the firewall, and that the server runs"
        tunnel = "" if web or address.local else f"; from outside, open a tunnel: {tunnel_to(address)}"
        patience = "in time" if web else f"within {CONNECT_SECONDS} s"
        return HostUnreachable(f"nothing answered at {where} {patience}", fix + tunnel)
    if address.socket is not None:
        return HostUnreachable(f"no server listens on {address.socket}", "check the socket's path")
    if isinstance(reason, ConnectionRefusedError):
        return _refused(address)
    said = "it broke off" if isinstance(reason, http.client.HTTPException) else reason
    return HostUnreachable(f"the server at {where} can't be reached ({said})", "check host and port, and that it runs")


def _refused(address: LibraryAddress) -> HostUnreachable:
    what = f"nothing listens at {address.where}"
    if address.site:
        return HostUnreachable(what, "check host and port, and that the server runs")
    publish = "publish MariaDB's port in PhotoPrism's compose file (127.0.0.1:3306:3306)"
    if address.local:
        tunnel = tunnel_to(address, "PHOTOPRISM-HOST")
        return HostUnreachable(what, f"{publish} or open an SSH tunnel to the machine that it runs on: {tunnel}")
    return HostUnreachable(what, f"{publish} there, and open a tunnel: {tunnel_to(address)}")


def _not_verified(reason: ssl.SSLCertVerificationError, address: LibraryAddress) -> HostUnreachable:
    """A certificate that is not trusted. Servers make one for themselves at installation, which nobody can verify."""
    ways = "give the certificate of its authority with ?ssl_ca=/path/ca.pem at the address's end"
    if not address.site:
        ways += f", or go through SSH: {tunnel_to(address)}"
    return HostUnreachable(f"{address.where} can't be trusted ({reason.verify_message or reason.reason})", ways)
