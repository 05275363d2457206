"""``python -m tests.chaos.rented FOLDER SECONDS SEED``: rented machines, and all who hold them killed at any instant.

A real sshd is the machine, a server that behaves as RunPod or Vast has it on its list. The process here that follows
the run, the watchdog there and the line between them are killed after random times, and the provider fails at random
questions. Then it looks: every checkpoint is here and whole, nothing costs any more, nothing was made twice. Prints one
JSON document.
"""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from random import Random

from safetensors import safe_open

from engine.events import JobState
from engine.jobs.folder import JobFolder
from engine.project import Project
from engine.remote.start import follow_again
from engine.rent.lease import Lease
from engine.rent.ledger import rentals_for
from engine.rent.offers import choices
from engine.rent.provider import Wanted
from engine.rent.registry import provider_named
from engine.rent.start import start_rented
from engine.training.runs.run_status import run_status
from tests.chaos.tally import Tally, loss_if_it_fails
from tests.support.kill_processes import kill_job
from tests.support.patience import wait_until
from tests.support.rented.api_server import KEY, ApiServer, Fault
from tests.support.rented.machines import Fate
from tests.support.rented.runpod_server import runpod
from tests.support.rented.vast_server import vast
from tests.support.small_project import small_project

PROVIDERS = {"runpod": runpod, "vast": vast}

LONGEST = 6.0
"""Seconds between two kills, at most; often much less."""

CREATE = "(POST /v2/pods|PUT /api/v0/asks)"

TROUBLES: tuple[tuple[str, str, list[Fault]], ...] = (
    ("a create without an answer, and made", CREATE, [Fault(cut="after")]),
    ("a create without an answer, and not made", CREATE, [Fault(cut="before")]),
    ("a create answered with 502", CREATE, [Fault(502)]),
    ("an end that fails five times", "DELETE", [Fault(500)] * 5),
    ("a list that fails twice", "GET .*(pods|instances)", [Fault(503), Fault(cut="before")]),
    ("429 when asked for the list", "GET .*(pods|instances)", [Fault(429, retry_after=0)]),
)


def run(folder: Path, chance: Random, until: float) -> Tally:
    """One rented run after the other, until the time is over."""
    tally = Tally()
    number = 0
    while number < 2 or time.monotonic() < until:
        name = "runpod" if number % 2 else "vast"
        place = folder / str(number)
        place.mkdir()
        with PROVIDERS[name](place / name) as server, loss_if_it_fails(tally, f"a run at {name}"):
            os.environ |= {f"LIMNER_{name.upper()}_URL": server.url, f"LIMNER_{name.upper()}_KEY": KEY}
            one_run(tally, name, server, small_project(place / "james"), chance)
        number += 1
    return tally


def one_run(tally: Tally, name: str, server: ApiServer, project: Project, chance: Random) -> None:
    """A run with its kills, and what is left of it."""
    trouble(tally, server, chance)
    deserted = chance.random() < 0.25
    # One whose host is lost while it is made has no watchdog: only who made it ends it.
    lost = [Fate.LOST] if chance.random() < 0.2 and not deserted else []
    server.fates = list(lost)
    found = choices(project, [provider_named(name)], Wanted("4090"), {})
    # A deserted one ends itself soon; the others are taken up again long before.
    lease = Lease(3600.0, 4.0 if deserted else 600.0, 0.3)
    job = start_rented(project, found.found[0], {}, 5.0, 0.40, lease, settle=2.0)
    if deserted:
        desert(tally, server, job, chance)
        return
    for _ in range(chance.randint(12, 20)):
        time.sleep(chance.uniform(0.0, LONGEST) * chance.random())
        if not job.alive():
            break
        one_kill(tally, server, job, chance)
        follow_again(project)
    while job.alive():
        time.sleep(0.1)
    ends_whole(tally, server, job, 1 + len(lost))


def trouble(tally: Tally, server: ApiServer, chance: Random) -> None:
    """Has the provider fail at a question or two."""
    for name, question, faults in chance.sample(TROUBLES, chance.randint(0, 2)):
        server.before(question, *faults)
        tally.faults[name] += 1


def one_kill(tally: Tally, server: ApiServer, job: JobFolder, chance: Random) -> None:
    """The process here, mostly; or the watchdog there, or both, or the line."""
    what = chance.choices(("here", "watchdog", "both", "line"), (6, 1, 1, 2))[0]
    running = server.running()
    if what in ("watchdog", "both") and running:
        running[0].kill(".limner-watchdog.py")
        tally.kills["the watchdog"] += 1
    if what == "line" and running:
        tally.kills["the line"] += bool(running[0].cut())
        return
    if what != "watchdog":
        kill_job(job)
        tally.kills["the process at home"] += 1


def desert(tally: Tally, server: ApiServer, job: JobFolder, chance: Random) -> None:
    """Kills the process here and does not come back: the machine ends itself."""
    time.sleep(chance.uniform(0.0, 15.0))
    kill_job(job)
    tally.kills["the process at home, for good"] += 1
    wait_until(lambda: not server.running())
    tally.held["machines that ended themselves"] += len(server.machines)
    nothing_twice(tally, server, 2)


def ends_whole(tally: Tally, server: ApiServer, job: JobFolder, most: int) -> None:
    """What has to be true in the end."""
    status = run_status(job)
    tally.expect(status.state is JobState.DONE, "runs that are done", f"{status.state}: {status.reason}")
    tally.expect(len(status.checkpoints) == 2, "runs with all checkpoints", f"{len(status.checkpoints)} of 2")
    for path in status.checkpoints:
        with safe_open(path, "np") as file:
            tally.expect(bool(file.keys()), "checkpoints that load", str(path))
    tally.expect(not server.running(), "accounts where nothing costs", str(server.running()))
    records = rentals_for(job.path)
    tally.expect(all(each.over for each in records), "records that say so", str(records))
    nothing_twice(tally, server, most)


def nothing_twice(tally: Tally, server: ApiServer, most: int) -> None:
    """No two machines at once, and no more than were needed."""
    lives = sorted((each.created, each.ended or time.monotonic()) for each in server.machines)
    apart = all(before[1] <= after[0] for before, after in pairwise(lives))
    tally.expect(apart, "never two machines at once", f"two at once: {lives}")
    tally.expect(len(lives) <= most, "no machine more than needed", f"{len(lives)} of {most}: {lives}")


if __name__ == "__main__":
    place, seconds, seed = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(run(place, Random(seed), time.monotonic() + seconds).record()))
