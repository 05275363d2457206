"""What a photo server's answers say around their bodies: errors, waits, addresses, tokens."""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from engine.library.values import well_formed
from engine.network.bounded_http import GONE, Answer
from engine.network.deadlines import Left, TooSlow
from engine.storage.untrusted_files import parse_json


def quoted(part: str) -> str:
    """A part of a path, whatever stands in it."""
    return quote(part, safe="")


def sendable(token: str) -> bool:
    """Whether a token that the server gave can be sent back to it."""
    return bool(token) and token.isascii() and token.isprintable()


def site_of(location: str) -> str:
    """Scheme and host of an address; empty where it has none, or is malformed."""
    try:
        target = urlsplit(location)
    except ValueError:
        return ""
    return f"{target.scheme}://{target.netloc}" if target.netloc else ""


def passing(error: Exception) -> bool:
    """Whether the same question may well be answered a little later: not where nobody listens, where the server can't
    be trusted, or where it took its whole time."""
    import socket
    import ssl

    return not isinstance(error, (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError, TooSlow, Left))


def said_in(response: Answer) -> str:
    """An error's own words, as far as they are the server's (``{"error": …}``) and no page of a proxy's."""
    record = record_of(response)
    words = record.get("error") or record.get("message")
    return well_formed(" ".join(str(words or "").split())[:200])


def kind_of(response: Answer) -> str:
    """An answer's media type, in lower case, without its parameters."""
    return (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()


def record_of(response: Answer) -> dict[str, Any]:
    """An error's JSON object; an empty one for anything else."""
    try:
        record = parse_json(response.read(20_000))
    except (ValueError, *GONE):
        return {}
    return record if isinstance(record, dict) else {}


def seconds_of(retry_after: str | None) -> float | None:
    """``Retry-After`` is seconds or a date (RFC 9110, 10.2.3); None: the server does not say."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
