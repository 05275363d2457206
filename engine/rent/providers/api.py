"""Asking a provider's API: JSON over HTTPS with a bearer token, bounded in time and size.

No redirect is followed and no proxy is asked, so the key goes nowhere but to the address. A question that only reads,
or that may be asked twice, is asked again where no answer came; one that creates never is.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from engine.network.bounded_http import GONE, Answer, Connection, Encrypted, Plain
from engine.network.deadlines import Left
from engine.rent.provider import KeyMissing, RentError, Unsure
from engine.rent.providers.fields import Fields
from engine.secrets import register_secret
from engine.storage.untrusted_files import check_memory, parse_json

CONNECT_SECONDS = 15.0
ANSWER_SECONDS = 60.0
SILENT_SECONDS = 60.0

MOST_BYTES = 8_000_000
"""An answer that is longer is refused."""

MOST_MEMORY = 100_000_000

TRIES = 4
WAITS = (1.0, 2.0, 4.0)
LONGEST_WAIT = 30.0
"""Seconds that a provider may ask for before the next try (``Retry-After``)."""

CHUNK = 65_536


class Refusal(Exception):
    """A provider answered with an error.

    Args:
        status: of HTTP.
        said: its own words, one line.
    """

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"HTTP {status}: {said}")
        self.status, self.said = status, said


class Api:
    """One provider's API.

    Args:
        title: the provider's name, for errors.
        address: what all its paths begin with; https, or http to this machine.
        key: the API key.

    Raises:
        RentError: the key would go to another machine in the clear.
    """

    def __init__(self, title: str, address: str, key: str) -> None:
        parts = urlsplit(address)
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(address))):
            raise RentError(f"{title}'s address must begin with https://", "look at LIMNER_RUNPOD_URL, LIMNER_VAST_URL")
        register_secret(key)
        self.title, self._parts, self._key = title, parts, key

    def read(self, path: str, **query: str) -> Any:
        """What a ``GET`` answers; asked again where no answer comes.

        Raises:
            Refusal: the provider answers with an error that is its own for this question (4xx).
            KeyMissing: it refuses the key.
            RentError: it does not answer, or is no such API.
        """
        return self._again("GET", path + (f"?{urlencode(query)}" if query else ""), None)

    def set(self, method: str, path: str, body: object = None) -> Any:
        """Something that may be done twice: ``PUT``, ``DELETE``, a search by ``POST``. Raises as ``read``."""
        return self._again(method, path, body)

    def create(self, method: str, path: str, body: object, name: str) -> str:
        """Something that must not be done twice: asked once.

        Args:
            method: of HTTP.
            path: below the address.
            body: what is sent as JSON.
            name: the answer's field that holds the new thing's id.

        Raises:
            Unsure: nobody knows whether it was done.
            Refusal, KeyMissing, RentError: it was not done.
        """
        try:
            status, headers, data = self._once(method, path, body)
        except ConnectionRefusedError as error:
            raise self._silent(error) from error
        except GONE as error:
            raise Unsure(f"{self.title} did not say whether it was done ({_why(error)})", "") from error
        if status >= 500:
            raise Unsure(f"{self.title} did not say whether it was done (HTTP {status})", "")
        try:
            made = Fields(self.title, self._taken(status, headers, data))
            return made.id(name)
        except RentError as error:
            if status < 300:
                raise Unsure(error.what, error.fix) from error
            raise

    def _again(self, method: str, path: str, body: object) -> Any:
        for tried in range(TRIES):
            last = tried == TRIES - 1
            try:
                status, headers, data = self._once(method, path, body)
            except Left as error:
                raise self._silent(error) from error
            except GONE as error:
                if last:
                    raise self._silent(error) from error
                time.sleep(WAITS[tried])
                continue
            if (status < 500 and status != 429) or last:
                return self._taken(status, headers, data)
            time.sleep(_asked_to_wait(headers) or WAITS[tried])
        raise AssertionError

    def _once(self, method: str, path: str, body: object) -> tuple[int, Mapping[str, str], bytes]:
        """One question, on a connection of its own: they are seconds apart. Raises GONE's errors."""
        connection = self._connection()
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "limner",
        }
        sent = None
        if body is not None:
            sent = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            answer = connection.ask(ANSWER_SECONDS, SILENT_SECONDS, method, self._parts.path + path, sent, headers)
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, self._body(answer)
        finally:
            connection.end()

    def _connection(self) -> Connection:
        host, port = self._parts.hostname, self._parts.port
        assert host is not None
        if self._parts.scheme == "http":
            return Plain(host, port, timeout=CONNECT_SECONDS)
        return Encrypted(host, port, timeout=CONNECT_SECONDS, context=ssl.create_default_context())

    def _body(self, answer: Answer) -> bytes:
        data = bytearray()
        while len(data) <= MOST_BYTES and (some := answer.read(CHUNK)):
            data += some
        if len(data) <= MOST_BYTES and answer.length:
            raise http.client.IncompleteRead(b"", answer.length)
        return bytes(data)

    def _taken(self, status: int, headers: Mapping[str, str], data: bytes) -> Any:
        """An answer's document."""
        if status in (401, 403):
            how = "is refused" if status == 401 else "may not do that"
            raise KeyMissing(f"the API key of {self.title} {how} ({_words(data)})", "make another, that may rent")
        if 300 <= status < 400:
            raise RentError(f"{self.title} redirects, which its API never does", "look what is between it and you")
        if status == 429 or status >= 500:
            raise RentError(f"{self.title} is busy or broken (HTTP {status})", "try again in a few minutes")
        if status >= 400:
            raise Refusal(status, _words(data))
        if len(data) > MOST_BYTES:
            raise RentError(f"{self.title} says more than {MOST_BYTES // 1_000_000} MB", "")
        if not data.strip():
            return None
        try:
            check_memory(data, MOST_MEMORY)
            return parse_json(data.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise RentError(
                f"what answers is not the API of {self.title}", "look what is between it and you"
            ) from error

    def _silent(self, error: Exception) -> RentError:
        return RentError(f"{self.title} does not answer ({_why(error)})", "look at your connection, and try again")


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _asked_to_wait(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "")
    return min(float(text), LONGEST_WAIT) if text.isdigit() and len(text) < 6 else None


def _words(data: bytes) -> str:
    """A provider's own words for an error: RFC 7807's, Vast's, or the beginning of what it says."""
    text = data[:CHUNK].decode("utf-8", "replace")
    try:
        record = parse_json(text)
    except (ValueError, RecursionError):
        record = None
    if isinstance(record, dict):
        said = [
            record[key] for key in ("title", "detail", "error", "msg", "message") if isinstance(record.get(key), str)
        ]
        text = ": ".join(dict.fromkeys(said)) or text
    return "".join(each if each.isprintable() else " " for each in " ".join(text.split()))[:200] or "no reason given"


def _why(error: BaseException) -> str:
    return str(error)[:120] or type(error).__name__
