"""Our own embedder on every core. Job processes only.

dlib's network keeps Python's lock while it works, so threads don't make it quicker: each core gets a process of its
own, which reads faces from its standard input and writes embeddings to its standard output. Where the job dies that
input ends, and the process with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from engine.errors import FaceError

CHIP = 150
"""As ``engine.faces.detection.embedding.CHIP``."""

IN = CHIP * CHIP * 3
OUT = 128 * 4
"""Bytes of a face, and of an embedding as float32."""

Process = subprocess.Popen[bytes]


class Embedders:
    """Processes that embed chips, started as they are needed. Any number of threads may use it."""

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._idle: SimpleQueue[Process] = SimpleQueue()
        self._started: list[Process] = []
        self._starting = Lock()

    def embed(self, chip: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[128], unit length, of a chip [150, 150, 3] as ``engine.faces.detection.embedding.Identity.chip`` makes it.

        Raises:
            FaceError: the process died.
        """
        process = self._take()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(np.ascontiguousarray(chip, np.uint8).tobytes())
            process.stdin.flush()
            answer = process.stdout.read(OUT)
        except OSError:
            answer = b""
        if len(answer) != OUT:
            # Another one may be started in its place.
            self._started.remove(process)
            process.kill()
            process.wait()
            raise FaceError("the process that compares faces died", "see the end of the job's worker.log")
        self._idle.put(process)
        return np.frombuffer(answer, np.float32)

    def close(self) -> None:
        """Ends the processes."""
        for process in self._started:
            if process.stdin is not None:
                process.stdin.close()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def _take(self) -> Process:
        with self._starting:
            if self._idle.empty() and len(self._started) < self._most:
                self._started.append(_start())
                return self._started[-1]
        return self._idle.get()


@contextmanager
def embedders() -> Iterator[Embedders]:
    """As many embedders as there are cores, for the length of a ``with``."""
    pool = Embedders(os.cpu_count() or 1)
    try:
        yield pool
    finally:
        pool.close()


def _start() -> Process:
    root = str(Path(__file__).resolve().parents[3])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return subprocess.Popen(
        [sys.executable, "-m", "engine.faces.detection.embedding_pool"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))},
        # Whoever stops the job stops the job; its helpers see their input end.
        start_new_session=True,
    )


def main() -> None:
    """The process: reads chips and writes embeddings until its input ends."""
    from engine.faces.detection.embedding import Identity

    identity = Identity.load()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(pixels := source.read(IN)) == IN:
        sink.write(identity.embed_chip(np.frombuffer(pixels, np.uint8).reshape(CHIP, CHIP, 3)).tobytes())
        sink.flush()


if __name__ == "__main__":
    main()
