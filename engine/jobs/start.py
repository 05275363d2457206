"""Starting a job: a process of its own session that outlives whoever started it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine import TELEMETRY_OFF, events
from engine.errors import JobError, LimnerError
from engine.jobs.folder import ORDER_NAME, EventLog, JobFolder, JobKind, Order
from engine.jobs.needed_packages import check_packages_of
from engine.secrets import IMMICH_KEY_VARIABLE, PASSWORD_VARIABLE, RENT_KEY_VARIABLES
from engine.storage.liveness_locks import take
from engine.storage.os_errors import explained
from engine.storage.own_files import open_own
from engine.storage.project_paths import SETTINGS_NAME, expand_home


def start(
    folder: Path,
    kind: JobKind,
    project: Path,
    args: dict[str, Any],
    secrets: Mapping[str, str] | None = None,
    anew: bool = False,
) -> JobFolder:
    """Starts a job in ``folder`` (made if missing) and returns at once.

    The lock is taken here and handed to the child, so that from the first moment to the last exactly the
    living process holds it. The child has its own session, no terminal, and prints to ``worker.log``. ``secrets``
    are put into its environment and nowhere else. ``anew`` drops what an earlier job told in the same folder.

    Raises:
        JobError: a job already runs in that folder, or a package is missing that it needs.
        DiskFull: there is no room for its folder; then there is no such job.
    """
    check_packages_of(kind)
    job = JobFolder(folder)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = open_own(job.lock_path, os.O_RDWR | os.O_CREAT)
    try:
        if not take(lock, job.lock_path):
            raise JobError(f"{job.id} is already running", "follow it with: limner watch")
        with explained(folder), _all_or_nothing(job):
            _prepare(job, Order(kind, project.resolve(), args), anew)
            with os.fdopen(open_own(job.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab") as printed:
                subprocess.Popen(
                    [sys.executable, "-m", "engine.jobs.worker", str(folder.resolve())],
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(lock,),
                    cwd="/",
                    env={**_environment(kind, _from_a_hub(project, kind)), **(secrets or {})},
                )
    finally:
        os.close(lock)
    return job


def _prepare(job: JobFolder, order: Order, anew: bool) -> None:
    if anew:
        # What the last time told is of no interest to whoever follows this time.
        job.events_path.unlink(missing_ok=True)
    log = EventLog(job.events_path)
    try:
        log.keep_room()
        job.answered(*job.asked())
        log.emit(events.Job(events.JobState.STARTING))
        # Last: a folder is a job's from here on.
        job.write_order(order)
    finally:
        log.close()


@contextmanager
def _all_or_nothing(job: JobFolder) -> Iterator[None]:
    """A new job that could not be started leaves no folder that looks like a job which never moves."""
    new = not (job.path / ORDER_NAME).exists()
    try:
        yield
    except (OSError, LimnerError):
        if new:
            for each in (ORDER_NAME, job.events_path.name, f".{job.events_path.name}.room"):
                (job.path / each).unlink(missing_ok=True)
        raise


_ASK_THE_LIBRARY = frozenset({JobKind.SCAN, JobKind.MEASURE, JobKind.CAPTION, JobKind.LIKENESS})

NEEDED_BY: dict[str, frozenset[JobKind]] = {
    PASSWORD_VARIABLE: _ASK_THE_LIBRARY,
    IMMICH_KEY_VARIABLE: _ASK_THE_LIBRARY,
    "LIMNER_LLM_KEY": frozenset({JobKind.CAPTION}),
    **{name: frozenset({JobKind.TRAIN_RENTED}) for names in RENT_KEY_VARIABLES.values() for name in names},
}
"""Secrets that may stand in our environment, and the jobs that have a use for them."""

HUB_TOKENS = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})
"""What a hub's model that is not open to everybody is fetched with."""

_OTHERS_SECRETS = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SSH_AUTH_SOCK", re.I)
"""Names of secrets that may stand in an environment and are no job's business: a cloud's keys, an agent's socket."""


def _from_a_hub(project: Path, kind: JobKind) -> bool:
    """Whether the model that a job loads is a hub's; settings that can't be read name none."""
    from engine.settings import read_settings
    from engine.settings.own_paths import with_own_paths

    try:
        settings = with_own_paths(read_settings(project / SETTINGS_NAME), project)
    except LimnerError:
        return False
    captioners = (settings.captions.wd14, settings.captions.blip, settings.captions.florence)
    names = captioners if kind is JobKind.CAPTION else (settings.base.model, settings.base.for_painting.model)
    return any(name.count("/") == 1 and not expand_home(name).exists() for name in names)


def _is_given(name: str, kind: JobKind, from_a_hub: bool) -> bool:
    """Whether a job gets a variable of our environment."""
    if name in NEEDED_BY:
        return kind in NEEDED_BY[name]
    if name in HUB_TOKENS:
        return from_a_hub
    if name == "SSH_AUTH_SOCK":
        # The user's agent may hold the key that gets into a machine of the user's own.
        return kind in (JobKind.TRAIN_REMOTE, JobKind.PAINT_REMOTE)
    return _OTHERS_SECRETS.search(name) is None


def _environment(kind: JobKind, from_a_hub: bool = False) -> dict[str, str]:
    """The child's environment: ours without secrets that are none of its business, able to import the engine from where
    it lies, unbuffered.

    OpenMP's threads sleep while they wait. By default they spin, and on a machine whose cores have other work too
    (another run, the app, a compiler) a thread that spins keeps the one it waits for from running: two trainings at
    once on 2 cores took 85 s for 40 steps, and 10 s for 120 with this.
    """
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        "OMP_WAIT_POLICY": "PASSIVE",
        **{name: value for name, value in os.environ.items() if _is_given(name, kind, from_a_hub)},
        **TELEMETRY_OFF,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
