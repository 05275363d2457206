"""What a job says and leaves behind when the disk is full, the machine was restarted, or its parent was killed."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from engine import events
from engine.errors import DiskFull, LimnerError
from engine.events import JobState
from engine.jobs import follow, start, worker
from engine.jobs.folder import EventLog, JobFolder, JobKind, Order, this_machine
from engine.jobs.machine import boot_id
from engine.storage.atomic_files import write_text
from engine.storage.os_errors import explain
from engine.training.runs.run_status import run_status
from tests.support.patience import wait_until


def told(job: JobFolder, *said: events.Event) -> JobFolder:
    job.write_order(Order(JobKind.TRAIN, job.path, {}))
    log = EventLog(job.events_path)
    for event in said:
        log.emit(event)
    log.close()
    return job


class TestAFullDisk:
    """``os.write`` and ``fsync`` answer as a full disk does; ``tests.chaos.disk`` does the same with a real one."""

    def test_takes_no_half_line_of_the_log(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        log = EventLog(tmp_path / "events.jsonl")
        log.emit(events.Phase("faces", 1, 2))
        write, room = os.write, [20]

        def full(handle: int, data: bytes) -> int:
            if not room[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            taken, room[0] = min(len(data), room[0]), max(0, room[0] - len(data))
            return write(handle, data[:taken])

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(DiskFull, match="make room"):
                log.emit(events.Phase("faces", 2, 2))
        log.emit(events.Phase("faces", 2, 2))
        lines = (tmp_path / "events.jsonl").read_text().splitlines()
        assert [events.from_line(line).event.done for line in lines] == [1, 2]  # type: ignore[union-attr]

    def test_leaves_room_for_a_jobs_last_words(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        job = told(JobFolder(tmp_path / "job"))
        log = EventLog(job.events_path)
        log.keep_room()
        room = job.path / ".events.jsonl.room"
        assert room.stat().st_blocks * 512 >= 16 << 10
        append = EventLog._append

        def full(self: EventLog, line: bytes) -> None:
            if room.exists():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            append(self, line)

        monkeypatch.setattr(EventLog, "_append", full)
        assert worker.run(job.path) == 1
        assert not room.exists()
        last = follow.state(job)
        assert last.state is JobState.FAILED
        assert "no room" in (last.reason or "")

    def test_lets_no_job_begin_that_could_say_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "posix_fallocate", full)
        with pytest.raises(DiskFull, match="make room"):
            start.start(tmp_path / "job", JobKind.SCAN, tmp_path, {})
        assert [each.name for each in (tmp_path / "job").iterdir()] == ["lock"]
        assert not JobFolder(tmp_path / "job").alive()

    def test_leaves_the_old_file_and_nothing_beside_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_handle: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        (tmp_path / "limner.toml").write_text("old")
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            write_text(tmp_path / "limner.toml", "new")
        assert (tmp_path / "limner.toml").read_text() == "old"
        assert os.listdir(tmp_path) == ["limner.toml"]

    def test_a_used_up_quota_is_said_as_a_full_disk(self) -> None:
        said = explain(OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "/data/x.png"))
        assert isinstance(said, DiskFull)
        assert "/data/x.png" in said.one_line()
        assert type(explain(PermissionError(errno.EACCES, "Permission denied", "x"))) is LimnerError
        assert explain(ValueError("a bug")) is None


class TestAProcessThatIsGone:
    def test_a_restarted_machine_is_named_and_the_way_on_too(self, tmp_path: Path) -> None:
        running = events.Job(JobState.RUNNING, 4242, host=this_machine(), boot="another start of this machine")
        job = told(JobFolder(tmp_path / "20261121-1403-jx265"), running)
        assert follow.state(job).state is JobState.FAILED
        said = "the machine was restarted while it was running; resume it with: limner resume 20261121-1403-jx265"
        assert (follow.state(job).reason, run_status(job).reason) == (said, said)

    def test_of_this_start_of_the_machine_is_not_blamed_on_a_restart(self, tmp_path: Path) -> None:
        assert boot_id()
        job = told(JobFolder(tmp_path / "run"), events.Job(JobState.RUNNING, 1, host=this_machine(), boot=boot_id()))
        assert "without a message" in (follow.state(job).reason or "")

    def test_of_another_machine_is_not_blamed_on_a_restart_of_this_one(self, tmp_path: Path) -> None:
        there = events.Job(JobState.RUNNING, 1, host="another-machine", boot="a start of that machine")
        assert "without a message" in (follow.state(told(JobFolder(tmp_path / "run"), there)).reason or "")

    def test_is_known_by_its_lock_whoever_has_its_pid_now(self, tmp_path: Path) -> None:
        other = subprocess.Popen(["sleep", "60"])
        try:
            running = events.Job(JobState.RUNNING, other.pid, host=this_machine(), boot=boot_id())
            job = told(JobFolder(tmp_path / "run"), running)
            job.lock_path.write_text("a stale lock file")
            assert not job.alive()
            assert follow.state(job).state is JobState.FAILED
            handle = os.open(job.lock_path, os.O_RDWR)
            fcntl.flock(handle, fcntl.LOCK_EX)
            assert follow.state(job).state is JobState.RUNNING
            os.close(handle)
        finally:
            other.kill()
            other.wait()

    def test_takes_those_with_it_that_worked_for_it(self, tmp_path: Path) -> None:
        child = "import time; from engine.jobs.machine import die_with_parent as d; d(); print(1, flush=True)"
        script = textwrap.dedent(f"""
            import subprocess, sys, time
            child = subprocess.Popen([sys.executable, "-c", {child + "; time.sleep(60)"!r}], stdout=subprocess.PIPE)
            child.stdout.readline()
            print(child.pid, flush=True)
            time.sleep(60)
        """)
        parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_until(lambda: _is_gone(pid), "it outlives its parent")


def _is_gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
