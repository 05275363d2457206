"""Asking a photo server over HTTP: waiting when it is busy, several questions at once. Only ever reads.

No redirect is followed and no proxy is asked, so a secret goes nowhere but to the address that was given. Only the
standard library is needed.
"""

from __future__ import annotations

import http.client
import json
import queue
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode, urlsplit

from engine.errors import HostUnreachable, LibraryError, NotALibrary
from engine.library.address import LibraryAddress
from engine.library.connection.errors import unreachable
from engine.library.connection.tls import web_context
from engine.library.web.messages import kind_of, passing, said_in, seconds_of, site_of
from engine.network.bounded_http import GONE, Answer, Connection, Encrypted, Plain
from engine.network.deadlines import Left, left, rest
from engine.storage.untrusted_files import check_memory

AT_ONCE = 4
"""Questions under way at once: a home server makes thumbnails for somebody else, too."""

CONNECT_SECONDS = 10.0
SILENT_SECONDS = 60.0
"""How long the server may say nothing."""

TRIES = 6
FIRST_WAIT = 0.5
"""Seconds before the second try; twice as long before each further one."""

LONGEST_WAIT = 30.0
"""Seconds between two tries where the server does not say how long it wants to be left alone."""

LONGEST_ASKED = 120.0
"""Seconds that a server may ask for (``Retry-After``); who asks for more is told of instead, and not asked again."""

ANSWER_SECONDS = 120.0
"""How long an answer may take, and as much more as its bytes take at ``bounded_http.LEAST_RATE``."""

MOST_BYTES = 16_000_000
"""An answer (not a photo) that is longer is refused; a page of 500 photos has two."""

MOST_MEMORY = 120_000_000
"""Bytes that what an answer holds may take."""

CHUNK = 65_536

BUSY = (408, 425, 429)
AWAY = (502, 503, 504)
REDIRECTED = (301, 302, 303, 307, 308)


Taken = TypeVar("Taken")


class Refused(LibraryError):
    """The server answered one question, and not with what was asked for."""

    def __init__(self, status: int, what: str, fix: str = "") -> None:
        super().__init__(what, fix)
        self.status = status


class WebSession:
    """Questions to one photo server, from any number of threads. Each kind of server has a class of its own.

    Args:
        address: where it is.
    """

    title: ClassVar[str]
    """What the server is called: ``PhotoPrism``."""

    root: ClassVar[str]
    """What all its questions begin with: ``/api/v1/``."""

    def __init__(self, address: LibraryAddress) -> None:
        self.address = address
        self.parts = urlsplit(address.site)
        self._context = web_context(address)
        self._gone = left()
        self._slots: queue.LifoQueue[Connection | None] = queue.LifoQueue()
        for _ in range(AT_ONCE):
            self._slots.put(None)

    def identity(self) -> dict[str, str]:
        """The headers that say who we are. Raises WrongPassword where the server does not let us in."""
        return {}

    def renew(self, sent: Mapping[str, str]) -> bool:
        """Whether a question that was refused (401) with these headers is worth asking once more."""
        return False

    def note(self, response: Answer) -> None:
        """Keeps what an answer's headers tell."""

    def words_of(self, response: Answer) -> str:
        """An error's own words, as far as they are the server's."""
        return said_in(response)

    def ask(self, path: str, body: object = None, **query: object) -> Any:
        """What ``GET PATH`` answers, as JSON; with a ``body``, what ``POST PATH`` answers.

        Raises:
            WrongPassword: the server refused the user, the password or the key.
            HostUnreachable: nothing answers there, or it stays busy.
            NotALibrary: what answers there is no such server.
            Refused: it answers with another error.
        """
        tail = f"?{urlencode(query)}" if query else ""
        return self.read(f"{self.root}{path}{tail}", self._noted, body=body)

    def read(
        self,
        path: str,
        take: Callable[[Answer], Taken],
        fine: tuple[int, ...] = (200,),
        known: bool = True,
        body: object = None,
    ) -> Taken:
        """What is taken from an answer; one that breaks off meanwhile is asked for again.

        Args:
            path: as for ``answer``, with ``fine``, ``known`` and ``body``.
            take: reads the answer.
            fine: see there.
            known: see there.
            body: see there.

        Raises:
            The same as ``ask``.
        """
        attempt = 0
        while True:
            try:
                with self.answer(path, fine=fine, known=known, body=body) as response:
                    return take(response)
            except GONE as error:
                # It broke off, or fell silent, in the middle of its answer.
                if attempt == TRIES - 1 or not passing(error):
                    raise unreachable(error, self.address) from error
            self.pause(attempt)
            attempt += 1

    def _noted(self, response: Answer) -> Any:
        self.note(response)
        return self.json(response)

    @contextmanager
    def answer(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        fine: tuple[int, ...] = (200,),
        known: bool = True,
        body: object = None,
    ) -> Iterator[Answer]:
        """An answer whose body is read within the ``with``; the connection is kept where it was read to its end.

        Args:
            path: below the site's own, with its query.
            headers: further ones.
            fine: which statuses are answers; every other one is raised.
            known: whether we say who we are.
            body: what is sent as JSON; None: nothing, the question is a GET.

        Raises:
            The same as ``ask``; what breaks off while the body is read is left to whoever reads.
        """
        slot = self._slots.get()
        try:
            slot, response = self._persist(slot, path, dict(headers or {}), fine, known, body)
            try:
                yield response
            finally:
                whole = response.isclosed()
                response.close()
                if not whole or response.will_close:
                    slot.close()
                slot.rest()
        finally:
            self._slots.put(slot)

    def close(self) -> None:
        """Ends the connections. May be used again."""
        for slot in [self._slots.get() for _ in range(AT_ONCE)]:
            if slot is not None:
                slot.end()
            self._slots.put(None)

    def connection(self) -> Connection:
        """A new connection, not yet open."""
        host, port = self.address.host, self.address.port
        if self._context is None:
            return Plain(host, port, timeout=CONNECT_SECONDS)
        return Encrypted(host, port, timeout=CONNECT_SECONDS, context=self._context)

    def send(
        self, connection: Connection, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Asks one question on a connection; ``path`` is below the site's own."""
        own = {"Accept-Encoding": "identity", "User-Agent": "limner", **headers}
        return connection.ask(ANSWER_SECONDS, SILENT_SECONDS, method, self.parts.path + path, body, own)

    def pause(self, attempt: int, asked: float | None = None) -> None:
        """Waits before a next try, as long as the server asks for; else twice as long each time, and a little
        by chance, so that several threads don't come back at once. Raises HostUnreachable where it was left."""
        own = min(FIRST_WAIT * 2**attempt * random.uniform(0.75, 1.25), LONGEST_WAIT)
        try:
            rest(own if asked is None else min(asked, LONGEST_ASKED), self._gone)
        except Left as error:
            raise unreachable(error, self.address) from error

    def json(self, response: Answer) -> Any:
        """An answer's body. Raises IncompleteRead where less came than ``Content-Length`` told: what is there of it
        means nothing."""
        data = bytearray()
        where = self.address.where
        while len(data) <= MOST_BYTES and (some := response.read(CHUNK)):
            data += some
        if len(data) > MOST_BYTES:
            raise Refused(200, f"{where} answered with more than {MOST_BYTES // 1_000_000} MB")
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        try:
            check_memory(data, MOST_MEMORY)
        except ValueError as error:
            raise Refused(200, f"{where} answered with more than {self.title} ever has ({error})") from error
        try:
            return json.loads(data)
        except ValueError as error:
            raise (self.a_page() if kind_of(response) == "text/html" else self.not_ours()) from error
        except RecursionError as error:
            what = f"{where} answered with lists in lists without end, which {self.title} never does"
            raise Refused(200, what, f"check what is between you and {self.title}") from error

    def refusal(self, status: int, said: str, location: str) -> LibraryError:
        """What it means that the server answered with an error.

        Args:
            status: of the answer.
            said: the server's own words.
            location: where it redirects to.
        """
        where = self.address.where
        if status in REDIRECTED:
            there = site_of(location) or "another address"
            return NotALibrary(f"{where} redirects to {there}", f"limner connect {there}, if that is your {self.title}")
        if status in AWAY:
            return HostUnreachable(f"{where} is not running ({status})", f"start {self.title}, and try again")
        if status in BUSY:
            return HostUnreachable(
                f"{where} limits requests", "try again in a few minutes; finished downloads are kept"
            )
        fix = "check the address" if status == 404 else f"see {self.title}'s log, and try again"
        return Refused(status, f"{where} answered {status}{f' ({said})' if said else ''}", fix)

    def not_ours(self) -> NotALibrary:
        """What answers there is no such server."""
        what = f"{self.address.where} is not {self.title}"
        return NotALibrary(what, "give the address that your browser shows for it")

    def a_page(self) -> NotALibrary:
        """A web page came in an answer's place."""
        what = f"{self.address.where} sent a web page, as a login does that stands in front of {self.title}"
        return NotALibrary(what, f"let /api/ pass there, or give the address that your browser shows for {self.title}")

    def endless(self) -> Refused:
        """A list that repeats itself or never ends."""
        what = f"{self.address.where} repeats itself or never ends, which {self.title} never does"
        return Refused(200, what, f"check what is between you and {self.title}")

    def left_alone(self, seconds: float) -> HostUnreachable:
        """The server asks for more patience than anybody has."""
        what = f"{self.address.where} asks to wait {seconds:,.0f} s"
        return HostUnreachable(what, "try again then; finished downloads are kept")

    def _persist(
        self,
        slot: Connection | None,
        path: str,
        headers: dict[str, str],
        fine: tuple[int, ...],
        known: bool,
        body: object,
    ) -> tuple[Connection, Answer]:
        """Asks until there is an answer; a server that is busy or breaks off is asked again, later and later."""
        method, data = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        if data is not None:
            headers["Content-Type"] = "application/json"
        renewed = False
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            used, slot = slot is not None and slot.sock is not None, slot or self.connection()
            identity = self.identity() if known else {}
            try:
                response = self.send(slot, method, path, {**headers, **identity}, data)
            except GONE as error:
                slot.end()
                if used and attempt == 0:
                    # A connection that lay idle is closed by the server when it likes.
                    continue
                if last or not passing(error):
                    raise unreachable(error, self.address) from error
                self.pause(attempt)
                continue
            if response.status in fine:
                return slot, response
            # Errors are short; read to their end, the connection can be used again.
            said, wait = self.words_of(response), seconds_of(response.getheader("Retry-After"))
            if response.will_close or not response.isclosed():
                slot.end()
            response.close()
            if response.status == 401 and known and not renewed and self.renew(identity):
                renewed = True
            elif (response.status in BUSY or response.status >= 500) and not last:
                if wait is not None and wait > LONGEST_ASKED:
                    slot.end()
                    raise self.left_alone(wait)
                self.pause(attempt, wait)
            else:
                slot.end()
                raise self.refusal(response.status, said, response.getheader("Location") or "")
        slot.end() if slot else None
        raise self.refusal(401, "", "")
