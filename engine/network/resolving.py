"""Connecting to a host by its name, where ctrl+c ends even the waiting for the name's address.

The system's resolver has no timeout that a caller sets, and no interrupt reaches Python before it returns, half a
minute later where no name server answers. So it works in a thread of its own, which may be left behind.
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from engine.network.deadlines import Left, TooSlow, left

LOOK_SECONDS = 0.05
"""How often the thread is looked at."""

LONGEST_SECONDS = 30.0
"""How long a name may take; glibc gives up after 20 s with two name servers."""


@dataclass
class _Lookup:
    """What a thread found."""

    found: list[tuple[Any, ...]] = field(default_factory=list)
    error: OSError | None = None
    done: threading.Event = field(default_factory=threading.Event)


def addresses_of(host: str, port: int) -> list[tuple[Any, ...]]:
    """The addresses of a host as ``socket.getaddrinfo`` gives them, for TCP.

    Raises:
        socket.gaierror: there is no such host.
        TooSlow: the name server did not answer.
        Left: nobody wants it any more.
    """
    gone, lookup = left(), _Lookup()

    def look_up() -> None:
        try:
            lookup.found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        except OSError as error:
            lookup.error = error
        except UnicodeError as error:
            # A part of the name that is too long, or empty.
            lookup.error = socket.gaierror(socket.EAI_NONAME, str(error))
        finally:
            lookup.done.set()

    threading.Thread(target=look_up, name="limner-resolver", daemon=True).start()
    until = time.monotonic() + LONGEST_SECONDS
    while not lookup.done.wait(LOOK_SECONDS):
        if gone.is_set():
            raise Left("it was left")
        if time.monotonic() > until:
            raise TooSlow(f"no name server told the address of {host}")
    if lookup.error is not None:
        raise lookup.error
    return lookup.found


def open_connection(
    address: tuple[str, int], timeout: float | None = None, source_address: tuple[str, int] | None = None
) -> socket.socket:
    """A TCP connection to a host, as ``socket.create_connection`` makes it.

    Args:
        address: the host's name or IP address, and the port.
        timeout: seconds that each of the host's addresses may take to answer.
        source_address: the address here to connect from.

    Raises:
        OSError: none of the host's addresses answers; as ``addresses_of`` also.
    """
    host, port = address
    refused: OSError = ConnectionError(f"{host} has no address")
    for _, _, _, _, (ip, *_) in addresses_of(host, port):
        try:
            return socket.create_connection((ip, port), timeout, source_address)
        except OSError as error:
            refused = error
    raise refused
