"""Asking PhotoPrism over HTTP: logging in, and downloads' tokens.

The interface: https://docs.photoprism.app/developer-guide/api/ and PhotoPrism's ``internal/api``. An app password
(Settings, Account, Apps and Devices) goes with each question as ``X-Auth-Token``; a user's own password is changed for
such a token by ``POST /session``, and changed anew when the token has run out.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress

from engine.errors import LibraryError, WrongPassword
from engine.library.address import LibraryAddress
from engine.library.connection.errors import unreachable
from engine.library.web.messages import said_in, seconds_of, sendable
from engine.library.web.session import BUSY, LONGEST_ASKED, TRIES, WebSession
from engine.network.bounded_http import GONE, Answer
from engine.secrets import register_secret
from engine.security.private_files import for_a_header

GOODBYE_SECONDS = 2.0
"""How long a server may take to forget us."""

APP_PASSWORD = "an app password (Settings, Account, Apps and Devices in PhotoPrism)"

PUBLIC = "public"
"""What PhotoPrism takes for a token where it asks for no login."""


class Session(WebSession):
    """Questions to one PhotoPrism, from any number of threads.

    Args:
        address: where it is, and as whom.
        secret: a user's password where the address names one, else an app password; None: a library open to all.
    """

    title = "PhotoPrism"
    root = "/api/v1/"

    def __init__(self, address: LibraryAddress, secret: str | None) -> None:
        super().__init__(address)
        register_secret(secret)
        if not address.user:
            secret = for_a_header(secret, "the app password", LibraryError)
        self._secret = secret
        self._token = None if address.user else secret
        self._ours = False
        self._login = threading.Lock()
        self._download_token: str | None = None

    def identity(self) -> dict[str, str]:
        """The token that says who we are; got by logging in where there is a user and none yet."""
        if not self.address.user:
            return {"X-Auth-Token": self._token} if self._token else {}
        with self._login:
            if self._token is None:
                self._token, self._ours = self._log_in(), True
            return {"X-Auth-Token": self._token}

    def renew(self, sent: Mapping[str, str]) -> bool:
        """A token ran out; only the first of several threads that notice it makes us log in again."""
        if not self.address.user:
            return False
        with self._login:
            if self._token == sent.get("X-Auth-Token"):
                self._token = None
        return True

    def note(self, response: Answer) -> None:
        """Answers carry the download token that is good now (PhotoPrism's ``api_response_headers.go``)."""
        if token := response.getheader("X-Download-Token"):
            self._download_token = token
            self._keep_download_token_to_ourselves()

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
            connection = self.connection()
            connection.timeout = GOODBYE_SECONDS
            path = f"{self.parts.path}/api/v1/session"
            try:
                # It forgets us by itself after some days, too.
                with suppress(*GONE):
                    connection.ask(GOODBYE_SECONDS, GOODBYE_SECONDS, "DELETE", path, None, {"X-Auth-Token": token})
            finally:
                connection.end()
        super().close()

    def refusal(self, status: int, said: str, location: str) -> LibraryError:
        """What it means that PhotoPrism answered with an error."""
        if status == 401:
            if "passcode" in said.lower():
                return WrongPassword(f"user {self.address.user} has a second factor", f"give {APP_PASSWORD} instead")
            return WrongPassword(*self._not_let_in())
        if status == 403:
            what = f"{self.address.where} lets this user see no photos{f' ({said})' if said else ''}"
            return WrongPassword(what, f"give {APP_PASSWORD} that may see them, or another user's")
        return super().refusal(status, said, location)

    def _log_in(self) -> str:
        """Changes user and password for a token. One try each, for PhotoPrism counts wrong ones."""
        if self._secret is None:
            raise WrongPassword(*self._not_let_in())
        asked = json.dumps({"username": self.address.user, "password": self._secret}).encode()
        connection = self.connection()
        try:
            for attempt in range(TRIES):
                headers = {"Content-Type": "application/json"}
                response = self.send(connection, "POST", f"{self.root}session", headers, asked)
                if response.status not in BUSY or attempt == TRIES - 1:
                    break
                said_in(response)
                wait = seconds_of(response.getheader("Retry-After"))
                if wait is not None and wait > LONGEST_ASKED:
                    raise self.left_alone(wait)
                self.pause(attempt, wait)
            if response.status != 200:
                raise self.refusal(response.status, said_in(response), response.getheader("Location") or "")
            told = self.json(response)
        except GONE as error:
            raise unreachable(error, self.address) from error
        finally:
            connection.end()
        token = (told.get("access_token") or told.get("id")) if isinstance(told, dict) else None
        if not isinstance(token, str) or not sendable(token):
            raise self.not_ours()
        register_secret(token)
        return token

    def _keep_download_token_to_ourselves(self) -> None:
        if self._download_token != PUBLIC:
            register_secret(self._download_token)

    def _not_let_in(self) -> tuple[str, str]:
        user, where = self.address.user, self.address.where
        if self._secret is None:
            wanted = f"the password of {user}" if user else APP_PASSWORD
            return f"{where} requires a password", f"set LIMNER_DB_PASSWORD to {wanted}"
        if user:
            return f"{where} refused user {user} with this password", "check the user in the address, and the password"
        fix = f"make a new one, or name the user whose password it is: {self.address.site.replace('://', '://USER@')}"
        return f"{where} refused the app password, or it ran out", fix
