"""``python -m tests.support.rented.sky_program FOLDER …``: SkyPilot's command line as its help and source describe it.

A cluster is a machine with a real sshd; it lives as long as its job, and shows in ``status`` until it is down.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.rented.machines import Fate, Machine

ROW = {"cloud": "Lambda", "instance_type": "gpu_1x", "accelerator_count": 1.0, "spot_price": 0.1, "memory": 200.0}

CATALOGUE = {
    "RTX4090": [{**ROW, "accelerator_name": "RTX4090", "device_memory": 24.0, "price": 0.5, "region": "us-east-1"}],
    "A100": [
        {**ROW, "accelerator_name": "A100", "device_memory": 40.0, "price": 1.29, "region": "us-east-1"},
        {
            **ROW,
            "accelerator_name": "A100",
            "accelerator_count": 8.0,
            "device_memory": 40.0,
            "price": 9.0,
            "region": "x",
        },
    ],
}


def main(folder: Path, words: list[str]) -> int:
    clusters = folder / "clusters"
    clusters.mkdir(parents=True, exist_ok=True)
    with (folder / "asked").open("a") as asked:
        asked.write(json.dumps(words) + "\n")
    match words:
        case ["gpus", "list", "-o", "json", "--all"]:
            print("Fetching …\n" + json.dumps(CATALOGUE, indent=2))
        case ["gpus", "list", "-o", "json", name]:
            print(json.dumps({key: rows for key, rows in CATALOGUE.items() if name in key}, indent=2))
        case ["launch", "-y", "-d", "-c", name, "--env", variable, task]:
            return launch(clusters / name, json.loads(Path(task).read_text()), {variable: os.environ[variable]})
        case ["status", "--refresh", "-o", "json"]:
            down_where_the_job_ended(clusters)
            rows = [{"name": each.name, "status": "UP", "autostop": 5} for each in sorted(clusters.iterdir())]
            print(json.dumps(rows, indent=2))
        case ["down", "-y", name]:
            take_down(clusters / name)
        case _:
            print(f"no such command: {words}", file=sys.stderr)
            return 2
    return 0


def launch(place: Path, task: dict[str, Any], env: dict[str, str]) -> int:
    assert task["resources"]["autostop"] == {"idle_minutes": 5, "down": True}
    place.mkdir()
    key = place / "sky-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, capture_output=True)
    public = key.with_suffix(".pub").read_text().strip()
    machine = Machine(place.name, place.name, 0.5, Fate.GOOD, place, {}, [public])
    machine.begin("")
    job = subprocess.Popen(
        ["bash", "-c", task["run"]],
        env={**machine.whole_env, **env},
        cwd=machine.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    (place / "job").write_text(str(job.pid))
    config = Path.home() / ".sky" / "generated" / "ssh" / place.name
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(
        f"Host {place.name}\n  HostName 127.0.0.1\n  Port {machine.port}\n  IdentityFile {key}\n  IdentitiesOnly yes\n"
        "  StrictHostKeyChecking no\n  UserKnownHostsFile=/dev/null\n"
    )
    return 0


def down_where_the_job_ended(clusters: Path) -> None:
    """As autostop does, though not after minutes."""
    for place in clusters.iterdir():
        job = Path(f"/proc/{(place / 'job').read_text()}/cmdline") if (place / "job").exists() else None
        if job is not None and b"watchdog" not in (job.read_bytes() if job.exists() else b""):
            take_down(place)


def take_down(place: Path) -> None:
    Machine(place.name, place.name, 0.5, Fate.GOOD, place, {}, []).destroy()
    shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
