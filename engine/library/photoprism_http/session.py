"""Asking PhotoPrism over HTTP: logging in, waiting when it is busy, several questions at once. Only ever reads.

The interface: https://docs.photoprism.app/developer-guide/api/ and PhotoPrism's ``internal/api``. An app password
(Settings, Account, Apps and Devices) goes with each question as ``X-Auth-Token``; a user's own password is changed for
such a token by ``POST /session``, and changed anew when the token has run out. No redirect is followed and no proxy is
asked, so a password goes nowhere but to the address that was given. Only the standard library is needed.
"""

from __future__ import annotations

import http.client
import json
import queue
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

from engine.errors import HostUnreachable, LibraryError, NotALibrary, WrongPassword
from engine.library.address import LibraryAddress
from engine.library.connection.errors import unreachable
from engine.library.connection.tls import web_context
from engine.library.photoprism_http.messages import passing, said_in, seconds_of, sendable, site_of
from engine.network.bounded_http import GONE, Answer, Connection, Encrypted, Plain
from engine.network.deadlines import Left, left, rest
from engine.secrets import register_secret
from engine.security.private_files import for_a_header
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
"""How long an answer may take, and as much more as its bytes take at ``http_answers.LEAST_RATE``."""

GOODBYE_SECONDS = 2.0
"""How long a server may take to forget us."""

MOST_BYTES = 16_000_000
"""An answer (not a photo) that is longer is refused; a page of 500 photos has two."""

MOST_MEMORY = 120_000_000
"""Bytes that what an answer holds may take."""

CHUNK = 65_536

APP_PASSWORD = "an app password (Settings, Account, Apps and Devices in PhotoPrism)"

PUBLIC = "public"
"""What PhotoPrism takes for a token where it asks for no login."""

_BUSY = (408, 425, 429)
_AWAY = (502, 503, 504)


class Refused(LibraryError):
    """The server answered one question, and not with what was asked for."""

    def __init__(self, status: int, what: str, fix: str = "") -> None:
        super().__init__(what, fix)
        self.status = status


class Session:
    """Questions to one PhotoPrism, from any number of threads.

    Args:
        address: where it is, and as whom.
        secret: a user's password where the address names one, else an app password; None: a library open to all.
    """

    def __init__(self, address: LibraryAddress, secret: str | None) -> None:
        self.address = address
        register_secret(secret)
        if not address.user:
            secret = for_a_header(secret, "the app password", LibraryError)
        self._secret = secret
        self._parts = urlsplit(address.site)
        self._context = web_context(address)
        self._token = None if address.user else secret
        self._ours = False
        self._gone = left()
        self._login = threading.Lock()
        self._download_token: str | None = None
        self._slots: queue.LifoQueue[Connection | None] = queue.LifoQueue()
        for _ in range(AT_ONCE):
            self._slots.put(None)

    def ask(self, path: str, **query: object) -> Any:
        """What ``GET /api/v1/PATH`` answers, as JSON.

        Raises:
            WrongPassword: the server refused the user or the password.
            HostUnreachable: nothing answers there, or it stays busy.
            NotALibrary: what answers there is no PhotoPrism.
            Refused: it answers with another error.
        """
        tail = f"?{urlencode(query)}" if query else ""
        attempt = 0
        while True:
            try:
                with self.answer(f"/api/v1/{path}{tail}") as response:
                    self._note_tokens(response)
                    return self._json(response)
            except GONE as error:
                # It broke off, or fell silent, in the middle of its answer.
                if attempt == TRIES - 1 or not passing(error):
                    raise unreachable(error, self.address) from error
            self.pause(attempt)
            attempt += 1

    @contextmanager
    def answer(
        self, path: str, headers: Mapping[str, str] | None = None, fine: tuple[int, ...] = (200,), known: bool = True
    ) -> Iterator[Answer]:
        """An answer whose body is read within the ``with``; the connection is kept where it was read to its end.

        Args:
            path: below the site's own, with its query.
            headers: further ones.
            fine: which statuses are answers; every other one is raised.
            known: whether we say who we are.

        Raises:
            The same as ``ask``; what breaks off while the body is read is left to whoever reads.
        """
        slot = self._slots.get()
        try:
            slot, response = self._persist(slot, path, dict(headers or {}), fine, known)
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

    def download_token(self, but: str | None = None) -> str:
        """What downloads are allowed by; asked for where it is not known, or is the one that ran out.

        Args:
            but: a token that the server refused.
        """
        if self._download_token in (None, but):
            told = self.ask("config")
            token = told.get("downloadToken") if isinstance(told, dict) else None
            self._download_token = token if isinstance(token, str) and sendable(token) else PUBLIC
            self._keep_download_token_to_ourselves()
        return self._download_token or PUBLIC

    def close(self) -> None:
        """Ends the connections, and the server's own memory of us where we had to log in. May be used again."""
        if self._ours and self._token:
            token, self._token, self._ours = self._token, None, False
            connection = self._connection()
            connection.timeout = GOODBYE_SECONDS
            path = f"{self._parts.path}/api/v1/session"
            try:
                # It forgets us by itself after some days, too.
                with suppress(*GONE):
                    connection.ask(GOODBYE_SECONDS, GOODBYE_SECONDS, "DELETE", path, None, {"X-Auth-Token": token})
            finally:
                connection.end()
        for slot in [self._slots.get() for _ in range(AT_ONCE)]:
            if slot is not None:
                slot.end()
            self._slots.put(None)

    def _persist(
        self,
        slot: Connection | None,
        path: str,
        headers: dict[str, str],
        fine: tuple[int, ...],
        known: bool,
    ) -> tuple[Connection, Answer]:
        """Asks until there is an answer; a server that is busy or breaks off is asked again, later and later."""
        renewed = False
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            used, slot = slot is not None and slot.sock is not None, slot or self._connection()
            token = self._known_as() if known else None
            try:
                response = self._send(slot, "GET", self._parts.path + path, headers, token)
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
            said, wait = said_in(response), seconds_of(response.getheader("Retry-After"))
            if response.will_close or not response.isclosed():
                slot.end()
            response.close()
            if response.status == 401 and known and self.address.user and not renewed:
                renewed = True
                self._forget(token)
            elif (response.status in _BUSY or response.status >= 500) and not last:
                if wait is not None and wait > LONGEST_ASKED:
                    slot.end()
                    raise self._left_alone(wait)
                self.pause(attempt, wait)
            else:
                slot.end()
                raise self._refusal(response, said)
        slot.end() if slot else None
        raise WrongPassword(*self._not_let_in())

    def _send(
        self,
        connection: Connection,
        method: str,
        path: str,
        headers: dict[str, str],
        token: str | None,
        body: bytes | None = None,
    ) -> Answer:
        own = {"Accept-Encoding": "identity", "User-Agent": "limner", **headers}
        if token:
            own["X-Auth-Token"] = token
        return connection.ask(ANSWER_SECONDS, SILENT_SECONDS, method, path, body, own)

    def _known_as(self) -> str | None:
        """The token that says who we are; got by logging in where there is a user and none yet."""
        if not self.address.user:
            return self._token
        with self._login:
            if self._token is None:
                self._token, self._ours = self._log_in(), True
            return self._token

    def _forget(self, token: str | None) -> None:
        """A token ran out; only the first of several threads that notice it makes us log in again."""
        with self._login:
            if self._token == token:
                self._token = None

    def _log_in(self) -> str:
        """Changes user and password for a token. One try each, for PhotoPrism counts wrong ones."""
        if self._secret is None:
            raise WrongPassword(*self._not_let_in())
        asked = json.dumps({"username": self.address.user, "password": self._secret}).encode()
        path = f"{self._parts.path}/api/v1/session"
        connection = self._connection()
        try:
            for attempt in range(TRIES):
                response = self._send(connection, "POST", path, {"Content-Type": "application/json"}, None, asked)
                if response.status not in _BUSY or attempt == TRIES - 1:
                    break
                said_in(response)
                wait = seconds_of(response.getheader("Retry-After"))
                if wait is not None and wait > LONGEST_ASKED:
                    raise self._left_alone(wait)
                self.pause(attempt, wait)
            if response.status != 200:
                raise self._refusal(response, said_in(response))
            told = self._json(response)
        except GONE as error:
            raise unreachable(error, self.address) from error
        finally:
            connection.end()
        token = (told.get("access_token") or told.get("id")) if isinstance(told, dict) else None
        if not isinstance(token, str) or not sendable(token):
            raise self._no_photoprism()
        register_secret(token)
        return token

    def _connection(self) -> Connection:
        host, port = self.address.host, self.address.port
        if self._context is None:
            return Plain(host, port, timeout=CONNECT_SECONDS)
        return Encrypted(host, port, timeout=CONNECT_SECONDS, context=self._context)

    def pause(self, attempt: int, asked: float | None = None) -> None:
        """Waits before a next try, as long as the server asks for; else twice as long each time, and a little
        by chance, so that several threads don't come back at once. Raises HostUnreachable where it was left."""
        own = min(FIRST_WAIT * 2**attempt * random.uniform(0.75, 1.25), LONGEST_WAIT)
        try:
            rest(own if asked is None else min(asked, LONGEST_ASKED), self._gone)
        except Left as error:
            raise unreachable(error, self.address) from error

    def _json(self, response: Answer) -> Any:
        """Raises IncompleteRead where less came than ``Content-Length`` told: what is there of it means nothing."""
        data = bytearray()
        while len(data) <= MOST_BYTES and (some := response.read(CHUNK)):
            data += some
        if len(data) > MOST_BYTES:
            raise Refused(200, f"{self.address.where} answered with more than {MOST_BYTES // 1_000_000} MB")
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        try:
            check_memory(data, MOST_MEMORY)
        except ValueError as error:
            raise Refused(200, f"{self.address.where} answered with more than PhotoPrism ever has ({error})") from error
        try:
            return json.loads(data)
        except ValueError as error:
            raise self._no_photoprism() from error
        except RecursionError as error:
            what = f"{self.address.where} answered with lists in lists without end, which PhotoPrism never does"
            raise Refused(200, what, "check what is between you and PhotoPrism") from error

    def _note_tokens(self, response: Answer) -> None:
        """Answers carry the download token that is good now (PhotoPrism's ``api_response_headers.go``)."""
        if token := response.getheader("X-Download-Token"):
            self._download_token = token
            self._keep_download_token_to_ourselves()

    def _keep_download_token_to_ourselves(self) -> None:
        if self._download_token != PUBLIC:
            register_secret(self._download_token)

    def _refusal(self, response: Answer, said: str) -> LibraryError:
        status, where = response.status, self.address.where
        if status in (301, 302, 303, 307, 308):
            there = site_of(response.getheader("Location") or "") or "another address"
            return NotALibrary(f"{where} redirects to {there}", f"limner connect {there}, if that is your PhotoPrism")
        if status == 401:
            if "passcode" in said.lower():
                return WrongPassword(f"user {self.address.user} has a second factor", f"give {APP_PASSWORD} instead")
            return WrongPassword(*self._not_let_in())
        if status == 403:
            what = f"{where} lets this user see no photos{f' ({said})' if said else ''}"
            return WrongPassword(what, f"give {APP_PASSWORD} that may see them, or another user's")
        if status in _AWAY:
            return HostUnreachable(f"{where} is not running ({status})", "start PhotoPrism, and try again")
        if status in _BUSY:
            return HostUnreachable(
                f"{where} limits requests", "try again in a few minutes; finished downloads are kept"
            )
        fix = "check the address" if status == 404 else "see PhotoPrism's log, and try again"
        return Refused(status, f"{where} answered {status}{f' ({said})' if said else ''}", fix)

    def _left_alone(self, seconds: float) -> HostUnreachable:
        what = f"{self.address.where} asks to wait {seconds:,.0f} s"
        return HostUnreachable(what, "try again then; finished downloads are kept")

    def _not_let_in(self) -> tuple[str, str]:
        user, where = self.address.user, self.address.where
        if self._secret is None:
            wanted = f"the password of {user}" if user else APP_PASSWORD
            return f"{where} requires a password", f"set LIMNER_DB_PASSWORD to {wanted}"
        if user:
            return f"{where} refused user {user} with this password", "check the user in the address, and the password"
        fix = f"make a new one, or name the user whose password it is: {self.address.site.replace('://', '://USER@')}"
        return f"{where} refused the app password, or it ran out", fix

    def _no_photoprism(self) -> NotALibrary:
        return NotALibrary(f"{self.address.where} is not PhotoPrism", "give the address that your browser shows for it")
