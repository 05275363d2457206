"""Jobs as real processes: started, followed, asked to stop, killed."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import events
from engine.errors import JobError
from engine.events import JobState
from engine.jobs import follow, start
from engine.jobs.folder import JobFolder, JobKind, Request
from engine.storage.liveness_locks import is_held_alone, take
from tests.support.patience import wait_until

WORK = """
    import time
    from engine import events
    from engine.errors import JobError

    def work(context):
        for number in range(context.args["pieces"]):
            context.emit(events.Phase("pieces", number + 1, context.args["pieces"]))
            if context.args.get("explode") == number:
                raise ValueError("a bug")
            if context.args.get("refuse") == number:
                raise JobError("the card is gone", "plug it in")
            if name := context.args.get("import"):
                __import__(name)
            while context.args.get("hold"):
                if context.should_stop():
                    return
                time.sleep(0.01)
"""


@pytest.fixture
def start_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., JobFolder]:
    """Starts a real detached process whose work is the little function above."""
    place = tmp_path / "code"
    place.mkdir()
    (place / "little_work.py").write_text(textwrap.dedent(WORK))
    (place / "sitecustomize.py").write_text(
        "import engine.jobs.work as w\nw.WORK = {kind: 'little_work:work' for kind in w.WORK}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(place))
    started: list[JobFolder] = []

    def begin(**args: object) -> JobFolder:
        job = start.start(tmp_path / "jobs" / str(len(started)), JobKind.SCAN, tmp_path, dict(args))
        started.append(job)
        return job

    yield begin
    for job in started:
        kill(job)


def kill(job: JobFolder) -> None:
    pid = next((e.event.pid for e in job.entries() if isinstance(e.event, events.Job) and e.event.pid), None)
    if pid and job.alive():
        os.kill(pid, signal.SIGKILL)


def states(job: JobFolder) -> list[JobState]:
    return [entry.event.state for entry in job.entries() if isinstance(entry.event, events.Job)]


def test_a_job_goes_from_starting_over_running_to_done(start_job: Callable[..., JobFolder]) -> None:
    job = start_job(pieces=3)
    seen = [entry.event for entry in follow.follow(job)]
    assert states(job) == [JobState.STARTING, JobState.RUNNING, JobState.DONE]
    assert [e.done for e in seen if isinstance(e, events.Phase)] == [1, 2, 3]
    wait_until(lambda: not job.alive())


def test_any_number_of_followers_see_the_same(start_job: Callable[..., JobFolder]) -> None:
    job = start_job(pieces=2)
    first = [entry.event for entry in follow.follow(job)]
    assert [entry.event for entry in follow.follow(job)] == first


def test_a_job_outlives_the_process_that_started_it(
    tmp_path: Path, start_job: Callable[..., JobFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import os, sys; from pathlib import Path\n"
        "from engine.jobs.start import start; from engine.jobs.folder import JobKind\n"
        "start(Path(sys.argv[1]), JobKind.SCAN, Path('.'), {'pieces': 1, 'hold': True})\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "orphan")], check=False)
    assert done.returncode == -signal.SIGKILL
    job = JobFolder(tmp_path / "orphan")
    wait_until(lambda: JobState.RUNNING in states(job))
    assert job.alive()
    assert os.getsid(follow.state(job).pid or 0) != os.getsid(0), "it is not in our session"
    job.ask(Request.STOP)
    wait_until(lambda: not job.alive())
    assert follow.state(job).state is JobState.DONE


def test_a_job_stands_behind_whoever_types(start_job: Callable[..., JobFolder]) -> None:
    job = start_job(pieces=1, hold=True)
    wait_until(lambda: states(job)[-1:] == [JobState.RUNNING])
    pid = next(e.event.pid for e in job.entries() if isinstance(e.event, events.Job) and e.event.pid)
    assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)


def test_no_library_of_a_job_reaches_the_package_that_fetches_hub_code(
    start_job: Callable[..., JobFolder], tmp_path: Path
) -> None:
    (tmp_path / "code" / "kernels.py").write_text("def get_kernel(*_): ...")
    (tmp_path / "code" / "others.py").write_text("")
    job = start_job(**{"pieces": 1, "import": "others"})
    wait_until(lambda: states(job)[-1:] == [JobState.DONE])
    job = start_job(**{"pieces": 1, "import": "kernels"})
    wait_until(lambda: states(job)[-1:] == [JobState.FAILED])


def test_a_job_that_is_asked_to_stop_says_so_at_its_end(start_job: Callable[..., JobFolder]) -> None:
    job = start_job(pieces=1, hold=True)
    wait_until(lambda: JobState.RUNNING in states(job))
    job.ask(Request.STOP)
    follow.wait(job)
    assert follow.state(job).reason == "stopped on request"
    assert job.asked() == frozenset()


def test_sigterm_is_a_request_to_stop(start_job: Callable[..., JobFolder]) -> None:
    job = start_job(pieces=1, hold=True)
    wait_until(lambda: any(isinstance(e.event, events.Phase) for e in job.entries()))
    os.kill(follow.state(job).pid or 0, signal.SIGTERM)
    follow.wait(job)
    assert states(job)[-1] is JobState.DONE


def test_a_killed_job_is_told_as_failed_not_as_running(start_job: Callable[..., JobFolder]) -> None:
    job = start_job(pieces=1, hold=True)
    wait_until(lambda: JobState.RUNNING in states(job))
    os.kill(follow.state(job).pid or 0, signal.SIGKILL)
    wait_until(lambda: not job.alive())
    assert follow.state(job).state is JobState.FAILED
    with pytest.raises(JobError, match=r"worker\.log"):
        follow.wait(job)


def test_an_error_of_ours_reaches_the_one_who_waits_with_what_to_do(start_job: Callable[..., JobFolder]) -> None:
    job = start_job(pieces=2, refuse=1)
    with pytest.raises(JobError) as caught:
        follow.wait(job)
    assert caught.value.one_line() == "the card is gone: plug it in"


def test_a_bug_leaves_its_traceback_in_the_log_and_one_line_for_the_user(start_job: Callable[..., JobFolder]) -> None:
    job = start_job(pieces=2, explode=0)
    with pytest.raises(JobError, match="ValueError: a bug"):
        follow.wait(job)
    assert "Traceback" in job.log_path.read_text()


def test_a_folder_has_one_living_job_at_a_time(start_job: Callable[..., JobFolder]) -> None:
    job = start_job(pieces=1, hold=True)
    with pytest.raises(JobError, match="already running"):
        start.start(job.path, JobKind.SCAN, job.path, {})
    job.ask(Request.STOP)
    follow.wait(job)


def test_a_folder_that_is_no_jobs_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="not a job's folder"):
        JobFolder(tmp_path).read_order()


def test_whoever_only_looks_whether_a_job_lives_keeps_none_from_starting(start_job: Callable[..., JobFolder]) -> None:
    job = start_job(pieces=1)
    for _ in follow.follow(job):
        pass
    wait_until(lambda: not job.alive())
    looked, stop = 0, threading.Event()

    def look() -> None:
        nonlocal looked
        while not stop.is_set():
            with job.lock_path.open("r+b") as lock:
                looked += not is_held_alone(lock.fileno())

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for each in lookers:
        each.start()
    try:
        for _ in range(200):
            with job.lock_path.open("r+b") as lock:
                assert take(lock.fileno(), job.lock_path)
    finally:
        stop.set()
        for each in lookers:
            each.join()
    assert looked


def test_a_lock_that_is_held_is_told_from_one_that_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with path.open("r+b") as holder, path.open("r+b") as other:
        fcntl.flock(holder, fcntl.LOCK_SH)
        assert not is_held_alone(other.fileno())
        assert not take(other.fileno(), path)
        fcntl.flock(holder, fcntl.LOCK_UN)
        assert take(other.fileno(), path)
        assert is_held_alone(holder.fileno())
