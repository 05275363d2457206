"""The painter that has this project's pictures painted on another machine, and brings them home.

It holds the queue as the painter here does. Orders go there with the LoRAs and pictures that they name, by content, so
that a file goes once; what is painted comes home byte for byte. Cut off or killed, it asks for the same orders again,
and what was painted there already is not painted twice.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import events
from engine.bundle.contents import BundleKind, Member
from engine.bundle.leaving_out import settings_file
from engine.bundle.packing import pack
from engine.errors import DiskFull, LimnerError
from engine.faces.photo.loading import open_header
from engine.jobs.worker import Context
from engine.pictures.orders.commit import commit_file, hidden_name
from engine.pictures.orders.picture import LoraWeight, Picture, PictureState
from engine.pictures.orders.queue import Queue
from engine.pictures.orders.serving import QueueServer
from engine.pictures.orders.start import CLOSING
from engine.project import Project
from engine.remote.boxes import RemoteError, box_named
from engine.remote.follower import WAITS, end_at_signals
from engine.remote.limner_there import LimnerThere, document_in
from engine.remote.ssh import Answer, BoxUnreachable, digest_of
from engine.remote.start import refuse_own_files
from engine.storage.os_errors import explained

TOGETHER = 8
"""Pictures that are ordered there at once: the machine there keeps its model loaded from one to the next."""

PAINT_SECONDS = 6 * 3600.0
"""That they may take."""

LARGEST_PICTURE = 500_000_000

LOOK_SECONDS = 0.1


def work(context: Context) -> None:
    """Does a painter's job, elsewhere."""
    end_at_signals()
    project = Project(context.project)
    closing = context.folder.path / CLOSING
    closing.unlink(missing_ok=True)
    try:
        with project.store() as store:
            RemotePainter(context, project, Queue(store)).serve()
    finally:
        closing.touch()


class RemotePainter(QueueServer):
    """The queue's next pictures, painted on the machine that the job's order names.

    Args:
        context: the job.
        project: whose pictures they are.
        queue: where they wait.
    """

    def __init__(self, context: Context, project: Project, queue: Queue) -> None:
        super().__init__(context, project, queue)
        self._box = box_named(str(context.args["on"]["box"]))
        name = re.sub(r"[^\w.-]+", "_", project.root.name, flags=re.ASCII)[:40]
        token = hashlib.sha256(str(project.root.resolve()).encode()).hexdigest()[:16]
        self._there = LimnerThere(self._box, f"{self._box.directory.rstrip('/')}/{name}-painter-{token}", token)
        self._full: str | None = None
        """The folder there, absolute, once the project is open in it."""
        self._sent: dict[Path, str] = {}
        self._cut = 0

    def paint_next(self) -> bool:
        """Has the next pictures painted. Whether there were some."""
        taken = self._queue.take_together(self._claim, lambda _first: TOGETHER, lambda _first, _next: True)
        if not taken:
            return False
        try:
            self._painted(taken)
            self._cut = 0
        except BoxUnreachable as error:
            self._queue.put_back(self._held(taken))
            self._wait(error)
        except DiskFull:
            self._queue.put_back(self._held(taken))
            raise
        except LimnerError as error:
            for number in self._held(taken):
                self._fail(number, error.one_line())
        self.rest()
        return True

    def leave(self) -> None:
        """Nothing of the project stays there."""
        try:
            self._there.remove()
        except RemoteError as error:
            self._context.emit(events.Warning(f"the project stays on {self._box.name}: {error.what}", ""))

    def _held(self, taken: Sequence[Picture]) -> list[int]:
        return [each.id for each in taken if self._queue.state(each.id) is PictureState.PAINTING]

    def _fail(self, number: int, why: str) -> None:
        self._queue.fail(number, why, self._claim)
        self._context.emit(events.Warning(why, subject=str(number)))

    def _wait(self, error: BoxUnreachable) -> None:
        """Rests before the next try; the pictures wait meanwhile."""
        self._full = None
        if not self._cut:
            self._context.emit(events.Warning(f"{error.what}; it is tried again, and the pictures wait", ""))
        until = time.monotonic() + WAITS[min(self._cut, len(WAITS) - 1)]
        while time.monotonic() < until and not self._context.should_stop():
            time.sleep(LOOK_SECONDS)
        self._cut += 1

    # There

    def _painted(self, taken: Sequence[Picture]) -> None:
        """Orders pictures there, and takes them home."""
        full = self._ready()
        self._phase(f"painting on {self._box.name}", 0, len(taken))
        records = [self._order(full, each) for each in taken]
        with tempfile.TemporaryDirectory(prefix="limner-") as folder:
            orders = Path(folder) / "orders.json"
            orders.write_text(json.dumps(records), encoding="utf-8")
            self._there.ssh.send(orders, f"{full}/orders.json")
        answer = self._asked(["paint", "--orders", f"{full}/orders.json", "--json"])
        if answer is None:
            self._queue.put_back(self._held(taken))
            return
        said = document_in(answer)
        found = said.get("pictures") if isinstance(said, dict) else None
        if not isinstance(found, list) or len(found) != len(taken):
            raise RemoteError(f"{self._box.name} paints nothing that can be read", "its Limner may be older")
        for number, (picture, record) in enumerate(zip(taken, found, strict=True), 1):
            self._take_home(picture, record if isinstance(record, dict) else {}, f"{full}/out/{picture.id}")
            self._phase(f"painting on {self._box.name}", number, len(taken))

    def _asked(self, words: Sequence[str]) -> Answer | None:
        """What a long command there says; None where this painter is told to stop first."""
        answers: list[Answer] = []
        errors: list[LimnerError] = []

        def ask() -> None:
            try:
                answers.append(self._there.ask(words, PAINT_SECONDS))
            except LimnerError as error:
                errors.append(error)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        while asking.is_alive():
            if self._context.should_stop():
                return None
            asking.join(LOOK_SECONDS)
        if errors:
            raise errors[0]
        return answers[0]

    def _ready(self) -> str:
        """The folder there, absolute, with the project's settings in it and no image of anybody's."""
        if self._full is not None:
            return self._full
        refuse_own_files(self._project.settings, {})
        self._phase(f"preparing {self._box.name}", 0, 1)
        self._there.make_folder()
        self._sent.clear()
        with tempfile.TemporaryDirectory(prefix="limner-") as folder:
            bundle = Path(folder) / "project.limner"
            members = [
                Member("limner.toml", settings_file(self._project, with_library=False).data),
                Member("prompts.json", b"[]"),
            ]
            pack(bundle, BundleKind.PROJECT, members, self._project.settings.person.trigger, lambda *_: None)
            self._there.ssh.send(bundle, self._there.bundle)
        self._there.open_bundle()
        self._full = self._there.full_path(self._there.folder)
        return self._full

    def _order(self, full: str, picture: Picture) -> dict[str, Any]:
        """A picture's order as the machine there can follow it; the files that it names are sent."""
        order = picture.order(path=Path(f"{full}/out/{picture.id}/picture.png"), prompt_id=None)
        others = tuple(LoraWeight(self._file(full, each.file), each.unet, each.te) for each in order.others)
        order = replace(
            order,
            lora=self._file(full, order.lora) if order.lora else None,
            others=others,
            source=self._file(full, order.source) if order.source else None,
        )
        return order.to_record()

    def _file(self, full: str, path: Path) -> Path:
        """Where a file lies there; it keeps its name and its folders', by which prompts call LoRAs."""
        if path not in self._sent:
            digest = digest_of(path)[:16]
            names = [re.sub(r"[^\w.-]+", "_", part) or "_" for part in path.parts[-3:] if part != "/"]
            there = f"{full}/files/{digest}/{'/'.join(names)}"
            if self._there.ssh.run(["test", "-e", there]).code:
                self._phase(f"sending {path.name}", 0, 1)
                self._there.ssh.send(path, there)
            self._sent[path] = there
        return Path(self._sent[path])

    def _take_home(self, picture: Picture, record: dict[str, Any], folder: str) -> None:
        """Brings a picture home, or notes why it was not painted."""
        if record.get("state") != PictureState.DONE.value:
            self._fail(picture.id, str(record.get("reason") or f"{self._box.name} did not paint it")[:500])
            return
        found = self._there.file(str(record.get("path")) if _is_below(record.get("path"), folder) else f"{folder}/?")
        if found is None or found.size > LARGEST_PICTURE:
            self._fail(picture.id, f"{self._box.name} tells of a picture that is not there")
            return
        hidden = hidden_name(picture)
        with explained(picture.path):
            hidden.parent.mkdir(parents=True, exist_ok=True)
            self._there.ssh.fetch(found.path, hidden, found.size, found.digest)
        if not _is_png(hidden):
            hidden.unlink(missing_ok=True)
            self._fail(picture.id, f"what {self._box.name} painted is no picture")
            return
        seconds = record.get("seconds")
        took = float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < 1e7 else 0.0
        path = commit_file(self._queue, picture, hidden, self._claim, took)
        if path is not None:
            self._context.emit(events.Sample(str(path), picture.prompt, picture.seed, seconds=round(took, 3)))

    def _phase(self, name: str, done: int, total: int) -> None:
        self._context.emit(events.Phase(name, done, total))


def _is_below(path: Any, folder: str) -> bool:
    """Whether a path that a machine tells is one of the folder's files."""
    return isinstance(path, str) and re.fullmatch(re.escape(folder) + r"/[\w.-]{1,200}\.png", path) is not None


def _is_png(path: Path) -> bool:
    """Whether it is a whole PNG of a size that Limner opens."""
    try:
        with open_header(path) as image:
            image.verify()
            return image.format == "PNG"
    except Exception:
        # Whatever Pillow says of bytes that are none.
        return False
