"""Finding out what answers at a web address: Immich, PhotoPrism, or a login in front of either. No secret is sent."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.errors import LibraryError, NotALibrary, WrongPassword
from engine.library.address import LibraryAddress, ServerKind, parse_address
from engine.library.connection.errors import unreachable
from engine.library.web.messages import site_of
from engine.library.web.session import REDIRECTED, WebSession
from engine.network.bounded_http import GONE, Answer
from engine.storage.untrusted_files import parse_json

PING = "/api/server/ping"
"""Immich answers ``{"res": "pong"}`` to everybody (``server/src/controllers/server.controller.ts``)."""

CONFIG = "/api/v1/config"
"""PhotoPrism answers with its configuration, or that one has to log in (``internal/api/config.go``)."""

LONGEST_ANSWER = 2_000_000

LONGEST_LOCATION = 2000

REFUSED = (401, 403)

ANY = (200, 204, 400, 401, 403, 404, 405, 407, 500, *REDIRECTED)

_LOGIN = re.compile(
    r"\b(log-?in|sign-?in|auth(elia|entik|enticate|orize|z|n)?|o?auth2?|sso|cloudflareaccess)\b"
    r"|[?&](rd|redirect\w*|return\w*)=",
    re.IGNORECASE,
)
"""What the addresses of logins have in them."""


class _Anybody(WebSession):
    """Questions to a server that is not known yet."""

    title = "the library"
    root = ""


def typed_address(text: str, base: Path | None = None) -> LibraryAddress:
    """The address that a user typed; where that is a plain web address, whose it is is found out first.

    Raises:
        LibraryError: as ``parse_address`` and ``detect``.
    """
    address = parse_address(text, base)
    return detect(address) if text.strip().lower().startswith(("https://", "http://")) else address


def detect(address: LibraryAddress) -> LibraryAddress:
    """The address of what answers there: Immich's, or the same one where it is PhotoPrism's.

    Args:
        address: a web address, ``https://…``, of which nobody said whose it is; others are returned as they are.

    Raises:
        NotALibrary: it is neither, or it redirects.
        WrongPassword: a login stands in front of it.
        HostUnreachable: nothing answers there.
    """
    if address.kind != ServerKind.HTTP:
        return address
    session = _Anybody(address)
    try:
        _, told, login = _asked(session, PING)
        if told == {"res": "pong"}:
            return parse_address(f"immich+{address.url}")
        immich = parse_address(f"immich+{address.url}")
        if immich.site != address.site and _is_immich(replace(address, site=immich.site)):
            # What was typed is one of its pages.
            return immich
        if login:
            what = f"a login stands in front of {address.where}: {login}"
            raise WrongPassword(what, "let /api/ pass there, or give an address that leads to the library itself")
        status, told, _ = _asked(session, CONFIG)
        if isinstance(told, dict) and (
            (status == 200 and "version" in told) or (status in REFUSED and "error" in told)
        ):
            return address
        what = f"neither Immich nor PhotoPrism answers at {address.where}"
        fix = "give the address that your browser shows for it"
        raise NotALibrary(what, f"{fix}; where a login stands in front of it, let /api/ pass there")
    finally:
        session.close()


def _is_immich(address: LibraryAddress) -> bool:
    session = _Anybody(address)
    try:
        return bool(_asked(session, PING)[1] == {"res": "pong"})
    finally:
        session.close()


def _asked(session: _Anybody, path: str) -> tuple[int, Any, str]:
    """Status, JSON (None: no JSON) and what kind of login answered instead (empty: none).

    Raises:
        NotALibrary: it redirects to another address of the same.
    """
    try:
        with session.answer(path, fine=ANY, known=False) as response:
            return response.status, _json(response), _login_of(response, session.address, path)
    except GONE as error:
        raise unreachable(error, session.address) from error


def _json(response: Answer) -> Any:
    data = response.read(LONGEST_ANSWER)
    try:
        return parse_json(data)
    except (ValueError, LibraryError):
        return None


def _login_of(response: Answer, address: LibraryAddress, path: str) -> str:
    """A login that answers in a library's place: a proxy's own, or one that it redirects to."""
    if scheme := response.getheader("WWW-Authenticate"):
        return f"the proxy asks for {scheme.split()[0][:20] if scheme.split() else 'a login'}"
    if response.status not in REDIRECTED:
        return ""
    location = (response.getheader("Location") or "")[:LONGEST_LOCATION]
    there = site_of(location) or address.site
    # Whoever asks for https:// in http://'s place passes the question on.
    if _LOGIN.search(location) and not location.endswith(path):
        return f"it redirects to {there}"
    if urlsplit(there).netloc and there != address.site:
        raise NotALibrary(f"{address.where} redirects to {there}", f"limner connect {there}, if that is your library")
    return ""
