"""The system's own ssh as a way to another machine: the user's configuration, keys, agent, jump hosts and known hosts
hold, and nothing is accepted that ssh does not know.

Every answer is bounded in bytes and time. Files go over ssh itself, resumed where a line broke, and count once their
SHA-256 is the one that was told before.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from engine.remote.boxes import Box, RemoteError

MOST_BYTES = 8_000_000
"""Of one answer."""

SECONDS = 120.0
"""That an answer may take."""

SILENT = ("-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3")
"""A line that says nothing for half a minute is taken for cut."""

PIECE = 1 << 20

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
"""Of ``linux/prctl.h``."""

NO_ANSWER = 255
"""ssh's own exit status where it could not connect, or lost the line."""


class BoxUnreachable(RemoteError):
    """ssh could not connect, or the line was cut; trying again may help."""


@dataclass(frozen=True)
class Answer:
    """What a command said there."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Its output."""
        return self.out.decode("utf-8", "replace")

    @property
    def last_words(self) -> str:
        """The last line that it complained with, or printed."""
        lines = [line for line in (self.err or self.text).splitlines() if line.strip()]
        return " ".join(lines[-1].split())[:300] if lines else f"exit status {self.code}"


class Ssh:
    """A way to one machine.

    Args:
        box: the machine.
    """

    def __init__(self, box: Box) -> None:
        self.box = box

    def words(self, command: str) -> list[str]:
        """The command line that runs a shell's command there."""
        config = ["-F", self.box.ssh_config] if self.box.ssh_config else []
        port = ["-p", str(self.box.port)] if self.box.port else []
        # Batch mode: a question about a host or a password is an error, not a prompt that nobody sees.
        options = ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", *SILENT, *config, *port]
        return ["ssh", *options, "--", self.box.destination, command]

    def run(
        self, words: Sequence[str], *, stdin: bytes = b"", seconds: float = SECONDS, most: int = MOST_BYTES
    ) -> Answer:
        """Runs a program there; a failure of its own is in the answer.

        Args:
            words: the program and its arguments, quoted here.
            stdin: what it reads.
            seconds: that it may take.
            most: bytes that it may say.

        Raises:
            BoxUnreachable: there is no way there, or it was cut.
            RemoteError: it takes too long or says too much, or ssh is not installed here.
        """
        return self.shell(shlex.join(words), stdin=stdin, seconds=seconds, most=most)

    def shell(self, command: str, *, stdin: bytes = b"", seconds: float = SECONDS, most: int = MOST_BYTES) -> Answer:
        """The same for a shell's command line; whoever calls it has quoted what is in it."""
        process = self.start(command, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL)
        try:
            out, err = _talk(process, stdin, time.monotonic() + seconds, most)
        except TimeoutError:
            raise BoxUnreachable(f"{self.box.name} did not answer within {seconds:.0f} s", "try again") from None
        except OverflowError:
            raise RemoteError(f"{self.box.name} says more than {most:,} bytes", "look at what answers there") from None
        finally:
            end(process)
        answer = Answer(process.returncode, out, err.decode("utf-8", "replace"))
        if answer.code == NO_ANSWER:
            raise self.unreachable(answer.err)
        return answer

    def start(self, command: str, stdin: int | IO[bytes] | None = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Begins a shell's command there and returns at once. Raises RemoteError where there is no ssh here."""
        try:
            return subprocess.Popen(
                self.words(command),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=_end_with_us,
            )
        except FileNotFoundError:
            raise RemoteError("ssh is not installed here", "install it: apt install openssh-client") from None

    def unreachable(self, said: str) -> BoxUnreachable:
        """Why ssh found no way, in its own words, and what to do."""
        by_hand = shlex.join(["ssh", *(["-p", str(self.box.port)] if self.box.port else []), self.box.destination])
        lines = [line for line in said.splitlines() if line.strip()]
        why = " ".join(lines[-1].split())[:200] if lines else "the line was cut"
        if "Host key verification failed" in said or "REMOTE HOST IDENTIFICATION HAS CHANGED" in said:
            fix = f"connect once by hand and compare its fingerprint: {by_hand}"
        elif "Permission denied" in said:
            fix = f"let your key in there, then: {by_hand}"
        else:
            fix = f"see whether it runs: {by_hand}"
        return BoxUnreachable(f"{self.box.name} ({self.box.address}) can't be reached: {why}", fix)

    def send(self, path: Path, there: str, tell: Callable[[int, int], None] = lambda *_: None) -> None:
        """Brings a file there, from where an earlier try ended, and proves it by its SHA-256.

        Args:
            path: the file here.
            there: its path there; its folder is made.
            tell: hears how many bytes of how many are there.

        Raises:
            BoxUnreachable: the line was cut; what is there already is kept for the next try.
            RemoteError: the disk there is full, or what arrived is not what was sent.
        """
        size, digest = path.stat().st_size, digest_of(path)
        part = f"{there}.part"
        folder = there.rpartition("/")[0] or "."
        begun = self.shell(
            f"mkdir -p -- {shlex.quote(folder)} && stat -c %s -- {shlex.quote(part)} 2>/dev/null || echo 0"
        )
        offset = int(begun.text.split()[-1]) if begun.text.split() and begun.text.split()[-1].isdigit() else 0
        if offset > size:
            self.run(["rm", "-f", "--", part])
            offset = 0
        if offset < size:
            self._pour(path, offset, size, part, tell)
        whole = self._is_whole(part, digest)
        if offset and not whole:
            # What an earlier try left was another file's beginning.
            self._pour(path, 0, size, part, tell)
            whole = self._is_whole(part, digest)
        if not whole:
            raise RemoteError(f"{path.name} did not arrive whole at {self.box.name}", "try again")
        moved = self.run(["mv", "-f", "--", part, there])
        if moved.code:
            raise RemoteError(f"{self.box.name} can't keep {there}: {moved.last_words}", "look at its disk")

    def _is_whole(self, part: str, digest: str) -> bool:
        """Whether what arrived is what was sent; what is not is removed."""
        whole = self.run(["sha256sum", "--check", "--status"], stdin=f"{digest}  {part}\n".encode()).code == 0
        if not whole:
            self.run(["rm", "-f", "--", part])
        return whole

    def _pour(self, path: Path, offset: int, size: int, part: str, tell: Callable[[int, int], None]) -> None:
        with path.open("rb") as file:
            file.seek(offset)
            process = self.start(f"cat >> {shlex.quote(part)}", stdin=subprocess.PIPE)
            assert process.stdin is not None
            try:
                while piece := file.read(PIECE):
                    process.stdin.write(piece)
                    offset += len(piece)
                    tell(offset, size)
                process.stdin.close()
            except BrokenPipeError:
                pass
            err = process.stderr.read(PIECE) if process.stderr else b""
            code = process.wait()
        said = err.decode("utf-8", "replace")
        if code == NO_ANSWER:
            raise self.unreachable(said)
        if code:
            raise RemoteError(f"{self.box.name} can't take {path.name}: {Answer(code, b'', said).last_words}", "")

    def fetch(self, there: str, path: Path, size: int, digest: str) -> None:
        """Brings a file home, from where an earlier try ended. It appears under its name once it is proven.

        Args:
            there: its path there.
            path: where it goes; its folder is there.
            size: bytes that it has.
            digest: its SHA-256, in hexadecimal digits.

        Raises:
            BoxUnreachable: the line was cut; what came is kept for the next try.
            RemoteError: it is not what it was said to be.
            OSError: it can't be written here.
        """
        part = path.with_name(f".{path.name}.part")
        offset = part.stat().st_size if part.is_file() and not part.is_symlink() else 0
        if offset > size:
            part.unlink()
            offset = 0
        if offset < size:
            self._draw(there, part, offset, size)
        if digest_of(part) != digest:
            part.unlink()
            raise RemoteError(f"{path.name} of {self.box.name} is not what it was said to be", "it is fetched again")
        with part.open("rb") as whole:
            os.fsync(whole.fileno())
        os.replace(part, path)

    def _draw(self, there: str, part: Path, offset: int, size: int) -> None:
        process = self.start(f"tail -c +{offset + 1} -- {shlex.quote(there)} | head -c {size - offset}")
        assert process.stdout is not None
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            left = size - offset
            while left > 0 and (piece := process.stdout.read1(min(PIECE, left))):  # type: ignore[attr-defined]
                os.write(handle, piece)
                left -= len(piece)
        finally:
            os.close(handle)
            err = process.stderr.read(PIECE) if process.stderr and process.poll() is not None else b""
            end(process)
        if left > 0:
            raise self.unreachable(err.decode("utf-8", "replace"))


def _end_with_us() -> None:
    """In the child: it ends when we do, even when we are killed. Else an ssh that waits for a log would wait on."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def digest_of(path: Path) -> str:
    """A file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a program that may be under way, and closes what it was talked to through."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(2)
        if process.poll() is None:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def _talk(process: subprocess.Popen[bytes], stdin: bytes, ends: float, most: int) -> tuple[bytes, bytes]:
    """Says and hears. Raises TimeoutError, or OverflowError where too much is said."""
    said: dict[IO[bytes], bytearray] = {}
    waiting = memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            said[stream] = bytearray()
            selector.register(stream, selectors.EVENT_READ)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError
            for key, _ in selector.select(left):
                if process.stdin is not None and key.fileobj is process.stdin:
                    waiting = _say(process.stdin, waiting)
                    if not waiting:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                piece = os.read(key.fd, PIECE)
                if not piece:
                    selector.unregister(key.fileobj)
                    continue
                heard = said[key.fileobj]  # type: ignore[index]
                heard += piece
                if len(heard) > most:
                    raise OverflowError
    try:
        process.wait(max(0.1, ends - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    assert process.stdout is not None
    assert process.stderr is not None
    return bytes(said[process.stdout]), bytes(said[process.stderr])


def _say(stream: IO[bytes], waiting: memoryview) -> memoryview:
    """What is still to be said after as much as goes now; nothing where nobody listens any more."""
    try:
        return waiting[os.write(stream.fileno(), waiting[: 1 << 16]) :]
    except BlockingIOError:
        return waiting
    except BrokenPipeError:
        return waiting[:0]
