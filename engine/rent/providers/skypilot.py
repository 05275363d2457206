"""Other clouds by SkyPilot's own command line, where it is installed: https://docs.skypilot.co. Nothing of it was tried
on a cloud.

SkyPilot logs in by itself, so there is no API key here. The machine's job is the watchdog: when that ends, SkyPilot
takes the machine down.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.rent.provider import (
    TOKEN_FILE,
    TOKEN_VARIABLE,
    Instance,
    InstanceState,
    KeyMissing,
    Offer,
    Order,
    RentError,
    SelfEnd,
    Unsure,
    Wanted,
)
from engine.rent.providers.fields import Fields
from engine.storage.untrusted_files import parse_json

PROGRAM = "sky"

ASK_SECONDS = 300.0
"""That a question may take: the first one starts SkyPilot's own server."""

LAUNCH_SECONDS = 2400.0

IDLE_MINUTES = 5
"""After the watchdog's end SkyPilot takes the machine down when it was idle for so long."""

MOST_BYTES = 8_000_000

RUNNING = "UP"
BROKEN = frozenset({"STOPPED", "AUTOSTOPPING"})
"""A stopped machine costs its disk."""


class SkyPilot:
    """The clouds that this user's SkyPilot has.

    Args:
        program: how it is called.

    Raises:
        KeyMissing: it is not installed.
    """

    name = "sky"
    title = "SkyPilot"
    boots = True
    holds_boot = True

    def __init__(self, program: str = PROGRAM) -> None:
        found = shutil.which(program)
        if found is None:
            raise KeyMissing("SkyPilot is not installed", "pip install skypilot, in an environment of its own")
        self._program = found

    def offers(self, wanted: Wanted) -> list[Offer]:
        """Machines of one card, by SkyPilot's catalogue: whether one is free shows when it is rented."""
        words = ["gpus", "list", "-o", "json", *([_sky_name(wanted.card)] if wanted.card else ["--all"])]
        found = []
        record = self._json(words)
        if not isinstance(record, dict):
            raise RentError("SkyPilot answers with something else than it documents", "its version may be another")
        for rows in record.values():
            for row in rows if isinstance(rows, list) else []:
                offer = _offer(Fields(self.title, row))
                if offer is not None and _fits(offer, wanted):
                    found.append(offer)
        return sorted(found, key=lambda each: each.price)

    def create(self, offer: Offer, order: Order) -> str:
        """See ``Provider.create``."""
        infra, _, accelerator = offer.id.rpartition(":")
        task = {
            "name": order.label,
            "resources": {
                "infra": infra,
                "accelerators": {accelerator: 1},
                "disk_size": order.disk_gb,
                "autostop": {"idle_minutes": IDLE_MINUTES, "down": True},
            },
            "run": f'umask 077; printf %s "${TOKEN_VARIABLE}" > ~/{TOKEN_FILE}\n{order.boot}',
        }
        with tempfile.TemporaryDirectory(prefix="limner-") as folder:
            path = Path(folder) / "task.yaml"
            # JSON is YAML.
            path.write_text(json.dumps(task), encoding="utf-8")
            words = ["launch", "-y", "-d", "-c", order.label, "--env", TOKEN_VARIABLE, str(path)]
            try:
                self._run(words, LAUNCH_SECONDS, {TOKEN_VARIABLE: order.token})
            except RentError as error:
                raise Unsure(error.what, error.fix) from error
        return order.label

    def instances(self) -> list[Instance]:
        """See ``Provider.instances``."""
        record = self._json(["status", "--refresh", "-o", "json"])
        if not isinstance(record, list):
            raise RentError("SkyPilot answers with something else than it documents", "its version may be another")
        return [self._instance(Fields(self.title, each)) for each in record]

    def look(self, id: str) -> Instance | None:
        """See ``Provider.look``."""
        return next((each for each in self.instances() if each.id == id), None)

    def end(self, id: str) -> None:
        """See ``Provider.end``."""
        if self.look(id) is not None:
            self._run(["down", "-y", id], ASK_SECONDS)

    def self_end(self) -> SelfEnd:
        """By its job's end alone."""
        return SelfEnd("", "", "")

    def _instance(self, found: Fields) -> Instance:
        name, said = found.id("name"), found.text("status", "INIT")
        state = InstanceState.READY if said == RUNNING else InstanceState.STARTING
        if said in BROKEN:
            state = InstanceState.BROKEN
        ready = state is InstanceState.READY
        config = Path.home() / ".sky" / "generated" / "ssh" / name
        return Instance(name, name, state, said.lower(), host=name if ready else None, ssh_config=str(config))

    def _json(self, words: Sequence[str]) -> Any:
        """What a command prints as JSON; SkyPilot may say something before it."""
        said = self._run(words, ASK_SECONDS)
        begins = min((at for at in (said.find("\n["), said.find("\n{")) if at >= 0), default=-1)
        try:
            return parse_json(said if said[:1] in ("[", "{") else said[begins + 1 :])
        except ValueError as error:
            raise RentError(
                "SkyPilot answers with something else than it documents", "its version may be another"
            ) from error

    def _run(self, words: Sequence[str], seconds: float, env: dict[str, str] | None = None) -> str:
        try:
            done = subprocess.run(
                [self._program, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                env={**os.environ, "SKYPILOT_DISABLE_USAGE_COLLECTION": "1", "NO_COLOR": "1", **(env or {})},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RentError(f"sky {words[0]} takes longer than {seconds:.0f} s", "look there: sky status") from error
        except OSError as error:
            raise RentError(f"SkyPilot can't be run: {error.strerror}", "look there: sky check") from error
        if len(done.stdout) > MOST_BYTES:
            raise RentError("SkyPilot says more than 8 MB", "look there: sky status")
        out = done.stdout.decode("utf-8", "replace")
        if done.returncode:
            lines = (done.stderr.decode("utf-8", "replace").strip() or out.strip()).splitlines()
            words_ = "".join(each for each in (lines[-1] if lines else "no reason given") if each.isprintable())
            raise RentError(f"sky {words[0]}: {words_[:200]}", "look there: sky check, sky status")
        return out


def _offer(row: Fields) -> Offer | None:
    """None: several cards, or no price."""
    price, memory = row.price("price"), row.number("device_memory", 0.0)
    if row.number("accelerator_count", 0.0) != 1 or price is None:
        return None
    cloud, region = row.text("cloud").lower(), row.text("region", "")
    accelerator = row.text("accelerator_name")
    infra = f"{cloud}/{region}" if region else cloud
    return Offer(SkyPilot.name, f"{infra}:{accelerator}", accelerator, round(memory * 2**30 / 1e9, 1), price, infra)


def _fits(offer: Offer, wanted: Wanted) -> bool:
    most = wanted.most_per_hour
    return offer.memory_gb >= wanted.memory_gb and (most is None or offer.price <= most)


def _sky_name(card: str) -> str:
    """SkyPilot's names have no blanks, and consumer cards an ``RTX``: ``RTX4090``."""
    plain = card.replace(" ", "").upper()
    return f"RTX{plain}" if plain.isdigit() else plain
