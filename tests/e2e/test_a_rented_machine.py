"""A run on a rented machine, by APIs that behave as the providers': all comes home, and nothing costs afterwards."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from engine.errors import JobError
from engine.events import JobState
from engine.jobs.folder import JobFolder, Request
from engine.jobs.follow import wait
from engine.project import Project, open_project
from engine.remote.start import follow_again
from engine.rent.access import token_for
from engine.rent.lease import Lease
from engine.rent.ledger import Stage, notices, rentals, rentals_for
from engine.rent.offers import choices
from engine.rent.provider import Wanted
from engine.rent.registry import provider_named, providers_to_ask
from engine.rent.start import start_rented
from engine.training.runs.run_status import run_status
from tests.support.kill_processes import kill_job
from tests.support.patience import wait_until
from tests.support.rented.api_server import KEY, ApiServer, Fault
from tests.support.rented.machines import Fate
from tests.support.rented.runpod_server import RunPodServer, runpod
from tests.support.rented.vast_server import VastServer, vast
from tests.support.small_project import small_project
from tests.support.ssh_box import REPOSITORY
from tests.tui.test_journeys import press, shown, until
from tui.app.app import LimnerApp
from tui.cli.main import main

pytestmark = pytest.mark.slow

LEASE = Lease(3600.0, 600.0, 0.3)


@pytest.fixture
def project(tmp_path: Path, own_home: Path) -> Project:
    return small_project(tmp_path / "james", training__epochs=2)


@pytest.fixture
def at_runpod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunPodServer]:
    with runpod(tmp_path / "runpod") as server:
        monkeypatch.setenv("LIMNER_RUNPOD_URL", server.url)
        monkeypatch.setenv("LIMNER_RUNPOD_KEY", KEY)
        yield server


@pytest.fixture
def at_vast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VastServer]:
    with vast(tmp_path / "vast") as server:
        monkeypatch.setenv("LIMNER_VAST_URL", server.url)
        monkeypatch.setenv("LIMNER_VAST_KEY", KEY)
        yield server


@pytest.fixture
def sky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """SkyPilot's command line; its folder of clusters."""
    program = tmp_path / "bin" / "sky"
    program.parent.mkdir()
    state = tmp_path / "sky"
    words = f'env PYTHONPATH={REPOSITORY} {sys.executable} -m tests.support.rented.sky_program {state} "$@"'
    program.write_text(f"#!/bin/sh\nexec {words}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return state / "clusters"


def begin(project: Project, lease: Lease = LEASE, settle: float = 1.0, ready: float = 1200.0) -> JobFolder:
    """A run on the cheapest RTX 4090."""
    found = choices(project, providers_to_ask(), Wanted("4090"), {})
    return start_rented(project, found.found[0], {}, 5.0, 0.40, lease, settle, ready)


def ends_well(job: JobFolder, server: ApiServer) -> None:
    """The run is done, all of it is here, and nothing costs."""
    wait_until(lambda: not job.alive())
    status = run_status(job)
    assert status.state is JobState.DONE, status.reason
    assert len(status.checkpoints) == 2
    assert all(load_file(path) for path in status.checkpoints)
    costs_nothing(server)


def costs_nothing(server: ApiServer) -> None:
    assert server.running() == []
    assert all(each.over for each in rentals())
    assert notices() == []


def warnings(job: JobFolder) -> str:
    return " ".join(run_status(job).warnings)


def test_a_run_at_runpod_comes_home_and_the_pod_is_gone(project: Project, at_runpod: RunPodServer) -> None:
    job = begin(project)
    ends_well(job, at_runpod)
    assert [each.card for each in rentals_for(job.path)] == ["RTX 4090"]
    settings = job.read_order().args["settings"]["training"]
    assert settings["price_per_hour"] == 0.34


@pytest.mark.long
def test_a_run_by_skypilot_comes_home_and_the_cluster_is_down(project: Project, sky: Path) -> None:
    provider = provider_named("sky")
    found = choices(project, [provider], Wanted("4090"), {})
    assert [(each.offer.card, each.offer.price, each.offer.where) for each in found.found] == [
        ("RTX4090", 0.5, "lambda/us-east-1")
    ]
    job = start_rented(project, found.found[0], {}, 5.0, lease=LEASE, settle=1.0)
    wait_until(lambda: not job.alive())
    status = run_status(job)
    assert status.state is JobState.DONE, status.reason
    assert len(status.checkpoints) == 2
    assert list(sky.iterdir()) == []
    assert all(each.over for each in rentals())
    asked = (sky.parent / "asked").read_text()
    assert token_for(rentals()[0].label) not in asked


@pytest.mark.long
def test_a_cluster_that_nobody_follows_goes_down_with_its_watchdog(project: Project, sky: Path) -> None:
    provider = provider_named("sky")
    found = choices(project, [provider], Wanted("4090"), {})
    job = start_rented(project, found.found[0], {}, 5.0, lease=Lease(3600.0, 5.0, 0.3), settle=1.0)
    wait_until(lambda: any(each.prepared for each in rentals()))
    kill_job(job)
    wait_until(lambda: provider.instances() == [])
    follow_again(project)
    with pytest.raises(JobError, match="is gone"):
        wait(job)


@pytest.mark.long
def test_a_run_at_vast_comes_home_after_what_can_go_wrong(project: Project, at_vast: VastServer) -> None:
    # Somebody else took the first, the host of the second is lost, the third costs twice as much.
    at_vast.fates = [Fate.GONE, Fate.LOST, Fate.DEARER]
    job = begin(project)
    ends_well(job, at_vast)
    assert len(at_vast.machines) == 3
    for words in ("another is tried", "(exited): it is ended", "(it costs 0.76 $/h, not 0.38): it is ended"):
        assert words in warnings(job)


@pytest.mark.long
@pytest.mark.parametrize("fault", [Fault(cut="after"), Fault(cut="before"), Fault(502)], ids=str)
def test_a_create_without_an_answer_is_paid_once(project: Project, at_vast: VastServer, fault: Fault) -> None:
    at_vast.before("PUT .*asks", fault)
    job = begin(project)
    ends_well(job, at_vast)
    assert len(at_vast.machines) == 1
    assert "it is looked for by its label" in warnings(job)


@pytest.mark.long
def test_a_machine_that_is_never_ready_is_ended(project: Project, at_vast: VastServer) -> None:
    at_vast.fates = [Fate.NEVER] * 6
    job = begin(project, ready=0.1)
    with pytest.raises(JobError, match="no RTX 4090 could be rented in 6 tries"):
        wait(job)
    costs_nothing(at_vast)
    assert len(at_vast.machines) == 6


def test_without_an_offer_at_the_price_nothing_is_rented(project: Project, at_vast: VastServer) -> None:
    at_vast.fates = [Fate.GONE]
    found = choices(project, providers_to_ask(), Wanted("4090"), {})
    at_vast.asks = [each for each in at_vast.asks if each["dph_total"] > 0.35]
    job = start_rented(project, found.found[0], {}, 5.0, 0.33, LEASE)
    with pytest.raises(JobError, match=r"no RTX 4090 is left at 0\.33"):
        wait(job)
    costs_nothing(at_vast)
    assert at_vast.machines == []


def test_nothing_is_sent_to_another_machine_than_the_rented(project: Project, at_vast: VastServer) -> None:
    at_vast.fates = [Fate.STRANGER]
    job = begin(project)
    with pytest.raises(JobError, match="is not the machine that was rented"):
        wait(job)
    costs_nothing(at_vast)


@pytest.mark.long
def test_a_clock_that_is_a_day_ahead_there_changes_no_time_here(project: Project, at_vast: VastServer) -> None:
    at_vast.fates = [Fate.TOMORROW]
    began = time.time()
    job = begin(project)
    ends_well(job, at_vast)
    status = run_status(job)
    assert status.seconds < 600
    assert all(began - 60 < entry.t < time.time() + 60 for entry in job.entries())


@pytest.mark.long
def test_a_machine_that_vanishes_ends_the_run_and_is_told(project: Project, at_vast: VastServer) -> None:
    job = begin(project)
    wait_until(lambda: run_status(job).step > 0)
    with at_vast.lock:
        at_vast.end(at_vast.running()[0].id)
    with pytest.raises(JobError, match="is gone: what came home is whole"):
        wait(job)
    costs_nothing(at_vast)


@pytest.mark.long
def test_a_stop_fetches_what_is_there_and_ends_the_machine(project: Project, at_runpod: RunPodServer) -> None:
    project.change({"training.epochs": 500})
    job = begin(open_project(project.root))
    wait_until(lambda: len(run_status(job).checkpoints) > 1)
    job.ask(Request.STOP)
    wait(job)
    assert run_status(job).stopped
    assert all(load_file(path) for path in run_status(job).checkpoints)
    costs_nothing(at_runpod)


def test_a_stop_before_it_begins_ends_the_machine(project: Project, at_runpod: RunPodServer) -> None:
    at_runpod.fates = [Fate.NEVER]
    job = begin(project)
    wait_until(lambda: len(at_runpod.running()) == 1)
    job.ask(Request.STOP)
    with pytest.raises(JobError, match="stopped before the run began"):
        wait(job)
    costs_nothing(at_runpod)


@pytest.mark.long
def test_an_end_that_is_not_confirmed_is_said_until_it_is(
    project: Project, at_vast: VastServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    job = begin(project)
    wait_until(lambda: len(run_status(job).checkpoints) == 2)
    at_vast.before("DELETE", *[Fault(500)] * 1000)
    wait_until(lambda: rentals()[-1].stage is Stage.ENDING)
    kill_job(job)
    assert "may still cost" in notices()[0]
    assert limner("runs", project) == 0
    assert capfd.readouterr().err.startswith("limner: RTX 4090 (vast) may still cost")
    at_vast.faults.clear()
    assert limner("rented end --all", project) == 0
    costs_nothing(at_vast)
    follow_again(project)
    ends_well(job, at_vast)


@pytest.mark.long
def test_a_machine_that_nobody_follows_ends_itself(project: Project, at_runpod: RunPodServer) -> None:
    job = begin(project, Lease(3600.0, 5.0, 0.3))
    wait_until(lambda: any(each.prepared for each in rentals()))
    kill_job(job)
    assert "nothing here follows it" in notices()[0]
    wait_until(lambda: at_runpod.running() == [])
    follow_again(project)
    with pytest.raises(JobError, match="is gone"):
        wait(job)
    costs_nothing(at_runpod)


@pytest.mark.long
def test_a_machine_without_a_watchdog_is_ended_from_here(project: Project, at_runpod: RunPodServer) -> None:
    at_runpod.own_may_end = False
    job = begin(project)
    wait_until(lambda: any(each.prepared for each in rentals()))
    at_runpod.running()[0].kill(".limner-watchdog.py")
    ends_well(job, at_runpod)
    assert "can't end itself" in warnings(job)


@pytest.mark.long
def test_a_budget_ends_the_run_before_the_machine(project: Project, at_runpod: RunPodServer) -> None:
    project.change({"training.epochs": 1000})
    job = begin(open_project(project.root), Lease(30.0, 600.0, 0.3))
    with suppress(JobError):
        wait(job)
    costs_nothing(at_runpod)
    life = at_runpod.machines[0]
    assert life.ended is not None
    assert life.ended - life.created < 45.0


@pytest.mark.long
def test_no_secret_stands_in_files_arguments_or_logs(project: Project, at_vast: VastServer, own_home: Path) -> None:
    job = begin(project)
    wait_until(lambda: any(each.prepared for each in rentals()))
    machine = at_vast.running()[0]
    secrets = [KEY.encode(), machine.env["LIMNER_RENTAL"].encode()]
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes()
            assert not any(secret in words for secret in secrets), words
    there = [path.read_bytes() for path in machine.home.rglob("*") if path.is_file()]
    assert there
    assert not any(KEY.encode() in each for each in there)
    here = [path for folder in (own_home, project.root) for path in folder.rglob("*") if path.is_file()]
    assert not any(secret in path.read_bytes() for path in here for secret in secrets)
    job.ask(Request.STOP)
    with suppress(JobError):
        wait(job)
    costs_nothing(at_vast)


@pytest.mark.long
async def test_by_keys_a_machine_is_rented_and_ended(project: Project, at_runpod: RunPodServer) -> None:
    async with LimnerApp(project.root, project).run_test(size=(110, 32)) as pilot:
        await press(pilot, "4", "o")
        await until(pilot, lambda: "Train on which machine?" in shown(pilot))
        await press(pilot, "enter")
        await until(pilot, lambda: "Rent which machine for this run?" in shown(pilot))
        assert "RTX 4090" in shown(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: "What may it cost in all?" in shown(pilot))
        await press(pilot, "x", "enter")
        # What is no amount is asked for again.
        await until(pilot, lambda: " x " in shown(pilot))
        await press(pilot, "end", "backspace", "1", ".", "5", "enter")
        await until(pilot, lambda: "Rent the RTX 4090 at 0.34 $/h?" in shown(pilot))
        assert "3 training images" in shown(pilot)
        assert at_runpod.machines == []
        await press(pilot, "y")
        await until(pilot, lambda: "0.00 $ so far" in shown(pilot))
        await until(pilot, lambda: "✓ run done" in shown(pilot))
    ends_well(project.run(), at_runpod)


def limner(words: str, project: Project) -> int:
    """A command in this process."""
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(project.root), *words.split()])
    return int(ended.value.code or 0)
