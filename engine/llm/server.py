"""A language model's server: Ollama, llama.cpp, vLLM, LM Studio, or a hosted one that speaks the same.

The protocol is OpenAI's: ``GET /v1/models``, ``POST /v1/chat/completions`` with ``stream``, server-sent events back
(https://platform.openai.com/docs/api-reference/chat). Only the standard library is needed. No redirect is followed and
no proxy is asked, so a key goes nowhere but to the address that was given.
"""

from __future__ import annotations

import ipaddress
import json
import os
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from engine.errors import PromptError
from engine.network.bounded_http import GONE, Answer, Connection, Encrypted, Plain
from engine.network.deadlines import Left, Line, TooSlow
from engine.secrets import register_secret
from engine.security.private_files import for_a_header
from engine.security.secret_check import LONGEST, holds_secret, is_host
from engine.security.trust import check_confirmed
from engine.storage.untrusted_files import parse_json

KEY_VARIABLE = "LIMNER_LLM_KEY"
"""The environment's variable that holds the key."""

SERVICE = "limner"
"""Under which name the keyring keeps keys; the user's name there is the address."""

CONNECT_SECONDS = 10.0
SILENT_SECONDS = 180.0
"""How long a server may say nothing: a large model is loaded first."""

USELESS_SECONDS = 600.0
"""How long it may send what is no text, such as comments that keep the connection alive."""

ANSWER_SECONDS = 3600.0
"""How long an answer may take in all."""

MOST_BYTES = 20_000_000
"""An answer that is longer is cut off."""

MOST_MEMORY = 120_000_000
"""Bytes that what an answer holds may take."""

LONGEST_LINE = 1_000_000
"""Bytes of one event of a stream; a whole answer that is not streamed may have more."""

LONGEST_WAIT = 20.0
"""No server is waited for longer than this when it says that it is busy."""


class Cancelled(Exception):
    """The question was taken back."""


class Refused(PromptError):
    """The server answered, and not with an answer."""

    def __init__(self, status: int, what: str, fix: str = "", retry_after: float | None = None) -> None:
        super().__init__(what, fix)
        self.status = status
        self.retry_after = retry_after
        """Seconds that the server asks to be left alone; None: it did not say."""

    @property
    def passing(self) -> bool:
        """Whether the same question may well be answered a little later."""
        return self.status in (0, 408, 429) or self.status >= 500


class Declined(PromptError):
    """The model said no, in the place that its server has for that (OpenAI's ``message.refusal``, or a filter)."""

    def __init__(self, said: str) -> None:
        super().__init__(f"the model refused: {said[:200]}")
        self.said = said


class ModelServer:
    """One server. ``cancel`` may be called from any thread.

    Args:
        url: its address, with or without ``/v1``.
        key: sent as a bearer token; None: the server needs none.
        silent_seconds: how long it may say nothing.

    Raises:
        PromptError: not an address, or a key that would travel in the clear.
    """

    def __init__(self, url: str, key: str | None = None, silent_seconds: float = SILENT_SECONDS) -> None:
        self.url = url
        self._parts = _address(url)
        if key and self._parts.scheme == "http" and not _is_near(self._parts.hostname or ""):
            raise PromptError(f"the key would be sent to {self._parts.hostname} in the clear", "use https://")
        register_secret(key)
        self._key = for_a_header(key, "the language model's key", PromptError)
        self._silent_seconds = silent_seconds
        self._line: Line | None = None
        self._cancelled = False

    @property
    def place(self) -> str:
        """The host and port, for people."""
        return self._parts.netloc.rpartition("@")[2]

    @property
    def cancelled(self) -> bool:
        """Whether ``cancel`` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """Takes the question back that is being asked, and every later one."""
        self._cancelled = True
        line = self._line
        if line is not None:
            # Whoever reads from it now gets the end of it.
            line.cut()

    def models(self) -> list[str]:
        """The names of the models that it has.

        Raises:
            PromptError: nothing answers there, or no such server.
            Cancelled: it was taken back.
        """
        told = b"".join(self._asked("GET", "/models", None))
        try:
            found = [str(each["id"]) for each in parse_json(told, MOST_MEMORY)["data"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise PromptError(f"{self.url} is not a language model server", "give the address of /v1") from error
        return found

    def answer(self, request: dict[str, Any], tell: Callable[[str], None] = lambda _text: None) -> str:
        """Asks, and returns the answer's text; what there is of it where the connection breaks.

        Args:
            request: the body of a chat completion; ``stream`` is set here.
            tell: gets each piece of text as it comes.

        Raises:
            Refused: the server said no, or nothing.
            Declined: the model said no.
            PromptError: nothing answers there.
            Cancelled: it was taken back.
        """
        said: list[str] = []
        body = json.dumps({**request, "stream": True}).encode("utf-8")
        try:
            for piece in _texts(self._asked("POST", "/chat/completions", body)):
                said.append(piece)
                tell(piece)
        except Refused:
            # Half an answer is better than none: whole prompts can be taken out of it.
            if not said:
                raise
        return "".join(said)

    def _asked(self, method: str, path: str, body: bytes | None) -> Iterator[bytes]:
        """The answer's lines."""
        connection = self._connection()
        answered = False
        try:
            self._line = connection.line
            headers = {"Accept": "text/event-stream, application/json", "Content-Type": "application/json"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            path = self._parts.path + path
            # A silence is told as one: who only trickles has more time, not the same to the instant.
            begins = self._silent_seconds + USELESS_SECONDS
            response = connection.ask(begins, self._silent_seconds, method, path, body, headers)
            answered = True
            if response.status != 200:
                raise self._refusal(response)
            yield from self._lines(response, connection.line)
            if self._cancelled:
                raise Cancelled
        except ssl.SSLError as error:
            raise PromptError(f"{self.place} can't be trusted ({error.reason})", "check the address") from error
        except GONE as error:
            why = connection.line.why() or error
            raise self._broken(why, answered or connection.sock is not None) from error
        finally:
            self._line = None
            connection.end()

    def _lines(self, response: Answer, line: Line) -> Iterator[bytes]:
        """The lines of an answer, as long as text comes among them in time."""
        end, left = time.monotonic() + ANSWER_SECONDS, MOST_BYTES
        streamed = "event-stream" in (response.getheader("Content-Type") or "")
        line.anew(USELESS_SECONDS)
        while left > 0 and (found := response.readline(min(left, LONGEST_LINE) if streamed else left)):
            left -= len(found)
            if found.startswith(b"data:") and (now := time.monotonic()) < end:
                line.anew(min(USELESS_SECONDS, end - now))
            yield found
        if cut := line.why():
            raise cut

    def _connection(self) -> Connection:
        if self._cancelled:
            raise Cancelled
        kind = Encrypted if self._parts.scheme == "https" else Plain
        return kind(self._parts.hostname or "", self._parts.port, timeout=CONNECT_SECONDS)

    def _broken(self, error: Exception, connected: bool) -> Exception:
        if self._cancelled or isinstance(error, Left):
            return Cancelled()
        if isinstance(error, TooSlow):
            return Refused(0, f"{self.place} keeps the connection open and says nothing", "see the server's log")
        if not connected:
            return PromptError(f"nothing answers at {self.url}", "start the model's server, or check the address")
        if isinstance(error, TimeoutError):
            return Refused(0, f"{self.place} said nothing for {self._silent_seconds:g} s", "use a smaller model")
        return Refused(0, f"{self.place} broke off ({type(error).__name__})", "see the server's log")

    def _refusal(self, response: Answer) -> Refused:
        said = " ".join(_error_text(response.read(10_000)).split())[:200]
        what = f"{self.place} answered {response.status}{f' ({said})' if said else ''}"
        fix = {
            401: f"set {KEY_VARIABLE} to its key",
            403: f"set {KEY_VARIABLE} to its key",
            404: "check the model's name and that the address ends in /v1",
            429: "wait a little; it limits requests",
        }.get(response.status, "see the server's log")
        return Refused(response.status, what, fix, _seconds(response.getheader("Retry-After")))


def canonical_address(url: str) -> str:
    """A server's address in one spelling, as confirmations are kept. Raises PromptError where it is none."""
    return urlunsplit(_address(url))


def project_server(root: Path, url: str, silent_seconds: float) -> ModelServer:
    """The server that the settings of the project in ``root`` name, with its key.

    Raises:
        NotConfirmed: nobody confirmed this address on this machine; nothing was sent.
        PromptError: as ``ModelServer`` raises it.
    """
    check_confirmed(root, canonical_address(url), "language model")
    return ModelServer(url, find_key(url), silent_seconds)


def find_key(url: str) -> str | None:
    """The server's key from the environment, else from the keyring, else None."""
    if KEY_VARIABLE in os.environ:
        return os.environ[KEY_VARIABLE] or None
    import keyring

    try:
        kept: str | None = keyring.get_password(SERVICE, url)
        return kept
    except Exception:
        # Back ends raise whatever their desktop's services raise; a local model needs no key.
        return None


def wait_before(refusal: Refused, tries: int, stopped: Callable[[], bool]) -> None:
    """Waits as long as the server asks, or longer each time it does not say."""
    seconds = min(LONGEST_WAIT, refusal.retry_after if refusal.retry_after is not None else 0.5 * 2**tries)
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stopped():
        time.sleep(min(0.05, max(0.0, until - time.monotonic())))


def _address(url: str) -> SplitResult:
    if len(url) > LONGEST or holds_secret(url):
        raise _holds_login()
    try:
        parts = urlsplit(url.strip())
        good = (
            parts.scheme in ("http", "https")
            and is_host(parts.hostname or "")
            and (parts.port is None or parts.port > 0)
        )
        login = "@" in parts.netloc
    except ValueError:
        good = login = False
    if login:
        raise _holds_login()
    if not good:
        raise PromptError(f"{url} is not a server address", "write for example http://127.0.0.1:11434/v1")
    path = parts.path.rstrip("/").removesuffix("/chat/completions").removesuffix("/models")
    return parts._replace(path=path or "/v1", query="", fragment="")


def _holds_login() -> PromptError:
    return PromptError(
        "the language model's address holds a login, or a key",
        f"remove it, and set {KEY_VARIABLE} to the server's key",
    )


def _is_near(host: str) -> bool:
    """Whether a host is this machine or in its own network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".lan", ".internal"))


def _texts(lines: Iterator[bytes]) -> Iterator[str]:
    """The pieces of text in server-sent events; or the text of one whole JSON answer, of servers that don't stream."""
    whole = bytearray()
    for line in lines:
        if not line.startswith(b"data:"):
            whole += line
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            return
        yield from _text(data)
    if rest := bytes(whole).strip():
        yield from _text(rest)


def _text(data: bytes) -> Iterator[str]:
    try:
        record = parse_json(data, MOST_MEMORY)
    except (ValueError, RecursionError):
        # A torn line, a comment, an event's name: nothing that is text.
        return
    if not isinstance(record, dict):
        return
    if record.get("error"):
        raise Refused(0, f"the model failed ({_error_text(data)[:200]})", "see the server's log")
    choices = record.get("choices")
    for choice in choices if isinstance(choices, list) else []:
        said = (choice.get("delta") or choice.get("message")) if isinstance(choice, dict) else None
        if isinstance(said, dict) and isinstance(said.get("refusal"), str) and said["refusal"]:
            raise Declined(said["refusal"])
        if isinstance(said, dict) and isinstance(said.get("content"), str):
            yield said["content"]
        if isinstance(choice, dict) and choice.get("finish_reason") == "content_filter":
            raise Declined("I can't answer: a content filter held the answer back.")


def _error_text(body: bytes) -> str:
    try:
        error = parse_json(body, MOST_MEMORY)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return body.decode("utf-8", "replace") if not body.lstrip().startswith(b"<") else ""
    return str(error.get("message", "") if isinstance(error, dict) else error)


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
