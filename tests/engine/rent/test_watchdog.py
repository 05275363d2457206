"""The watchdog on a rented machine, as it runs there: it ends the machine, whatever becomes of this one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.remote.ssh import Ssh
from engine.rent.access import box_of, public_key, token_for
from engine.rent.lease import HEARTBEAT, Lease, start_script, trial_command
from engine.rent.provider import LONGEST_BOOT, Order, Provider, Wanted
from tests.support.patience import wait_until
from tests.support.rented.api_server import ApiServer
from tests.support.rented.machines import Machine

QUICK = Lease(3600.0, 3600.0, 0.1)


def begin(provider: Provider, server: ApiServer, lease: Lease) -> Machine:
    """A machine whose boot script is the watchdog."""
    label = "limner-test-1"
    script = start_script(lease, provider.self_end(), "limner")
    provider.create(provider.offers(Wanted("4090"))[0], Order(label, public_key(), token_for(label), script, 50))
    return server.machines[-1]


def ssh_to(machine: Machine, provider: Provider) -> Ssh:
    found = provider.look(machine.id)
    assert found is not None
    return Ssh(box_of(machine.label, found))


@pytest.fixture(autouse=True)
def home(own_home: Path) -> None:
    """A key pair of this test's own."""


def test_the_script_is_as_short_as_providers_take(provider: Provider) -> None:
    assert len(start_script(Lease(1e6, 1e6, 1e3), provider.self_end(), "limner" * 10)) < LONGEST_BOOT


def test_a_machine_ends_when_its_time_is_over(provider: Provider, server: ApiServer) -> None:
    begin(provider, server, replace(QUICK, seconds=0.5))
    wait_until(lambda: server.running() == [])


def test_a_machine_ends_when_nothing_moves(provider: Provider, server: ApiServer) -> None:
    begin(provider, server, replace(QUICK, silent=0.5))
    wait_until(lambda: server.running() == [])


@pytest.mark.slow
def test_a_machine_stays_while_somebody_follows_or_a_run_writes(provider: Provider, server: ApiServer) -> None:
    machine = begin(provider, server, replace(QUICK, silent=2.0))
    log = machine.home / "limner/x/project/runs/r/events.jsonl"
    log.parent.mkdir(parents=True)
    looks = 0

    def moved() -> bool:
        nonlocal looks
        looks += 1
        if looks % 2:
            (machine.home / HEARTBEAT).write_text(str(looks))
        else:
            log.write_text("x" * looks)
        return float((machine.home / ".limner-used").read_text() or 0) > 3.0

    wait_until(lambda: (machine.home / ".limner-used").exists())
    wait_until(moved)
    assert server.running() == [machine]
    wait_until(lambda: server.running() == [])


def test_a_second_start_is_harmless_and_its_key_can_be_tried(provider: Provider, server: ApiServer) -> None:
    machine = begin(provider, server, QUICK)
    ssh = ssh_to(machine, provider)
    ssh.shell(start_script(replace(QUICK, seconds=0.1), provider.self_end(), "limner"))
    assert ssh.shell(trial_command(provider.self_end())).text == "200\n"
    assert sum(b".limner-watchdog.py" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in machine.processes()) == 1
    server.own_may_end = False
    assert ssh.shell(trial_command(provider.self_end())).text == "403\n"


def test_a_watchdog_that_was_killed_counts_on(provider: Provider, server: ApiServer) -> None:
    machine = begin(provider, server, replace(QUICK, seconds=3600.0))
    used = machine.home / ".limner-used"
    wait_until(used.exists)
    machine.kill(".limner-watchdog.py")
    used.write_text("3599.9")
    ssh_to(machine, provider).shell(start_script(QUICK, provider.self_end(), "limner"))
    wait_until(lambda: server.running() == [])


def test_it_asks_until_the_provider_answers(provider: Provider, server: ApiServer) -> None:
    machine = begin(provider, server, replace(QUICK, seconds=0.5))
    server.own_may_end = False
    wait_until(lambda: server.count("DELETE") > 2)
    assert server.running() == [machine]
    server.own_may_end = True
    wait_until(lambda: server.running() == [])
