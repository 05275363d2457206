"""RunPod's REST API v2 on loopback, as far as a client asks it that rents one machine for one run."""

from __future__ import annotations

import getpass
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.rented.api_server import ApiServer, serving
from tests.support.rented.machines import Fate, Machine

CARDS = [
    {"id": "NVIDIA GeForce RTX 4090", "name": "RTX 4090", "memory": 24, "price": {"secure": 0.69, "community": 0.34}},
    {"id": "NVIDIA A100 80GB PCIe", "name": "A100 PCIe", "memory": 80, "price": {"secure": 1.64, "community": 1.19}},
    {"id": "NVIDIA H100 NVL", "name": "H100 NVL", "memory": 94, "price": {"secure": 2.79, "community": None}},
]


@dataclass
class RunPodServer(ApiServer):
    """An account at RunPod."""

    cards: list[dict[str, Any]] = field(default_factory=lambda: [dict(each) for each in CARDS])
    stock: dict[str, str] = field(default_factory=dict)
    """By ``CLOUD:card's id`` where it is another than HIGH."""

    def name_of(self, number: int) -> str:
        return f"pod{number}abc"

    def own_env(self, machine: Machine) -> dict[str, str]:
        return {"RUNPOD_POD_ID": machine.id, "RUNPOD_API_KEY": f"own-{machine.id}"}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        match method, path.removeprefix("/v2").strip("/").split("/"):
            case "GET", ["catalog", "gpus"]:
                return 200, {"gpus": [self._card(each, query["cloud"]) for each in self.cards]}
            case "GET", ["account", "ssh-keys"]:
                return 200, {"keys": list(self.ssh_keys)}
            case "PUT", ["account", "ssh-keys"]:
                self.ssh_keys = list(body["keys"])
                return 200, {"keys": list(self.ssh_keys)}
            case "POST", ["pods"]:
                return self._create(body)
            case "GET", ["pods"]:
                return 200, {"pods": [self._pod(each) for each in self.listed()], "pagination": {"hasNextPage": False}}
            case "GET", ["pods", id]:
                found = self.found(id)
                return (200, self._pod(found)) if found else (404, {"title": "Not Found", "detail": "no such pod"})
            case "DELETE", ["pods", id]:
                return (204, None) if self.end(id) else (404, {"title": "Not Found", "detail": "no such pod"})
        return 404, {"title": "Not Found"}

    def _card(self, card: dict[str, Any], cloud: str) -> dict[str, Any]:
        return {**card, "availability": self.stock.get(f"{cloud}:{card['id']}", "HIGH")}

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        card = next((each for each in self.cards if each["id"] == body["gpu"]["id"]), None)
        price = card["price"].get(body["cloud"].lower()) if card else None
        if price is None:
            return 400, {"title": "Bad Request", "detail": "no such GPU there"}
        assert body["ports"] == ["22/tcp"]
        assert body["startSsh"] is True
        # What the container is told to run, but for the image's own start.
        shell, flag, script = shlex.split(body["args"])
        assert (shell, flag) == ("bash", "-c")
        boot = script.replace("exec /start.sh", "true")
        made = self.made(body["name"], price, dict(body["env"]), boot)
        if made is None:
            return 409, {"title": "Conflict", "detail": "there are no instances with enough resources"}
        return 201, self._pod(made)

    def _pod(self, machine: Machine) -> dict[str, Any]:
        status = {Fate.LOST: "ERROR", Fate.NEVER: "PROVISIONING"}.get(machine.fate, "RUNNING")
        pod = {
            "id": machine.id,
            "name": machine.label,
            "status": "TERMINATED" if machine.ended else status,
            "cost": machine.price,
            "ssh": {"direct": None, "proxy": None},
        }
        if status == "RUNNING":
            direct = {"host": "127.0.0.1", "port": machine.port, "username": getpass.getuser()}
            pod["ssh"] = {"direct": direct, "proxy": None}
        return pod


@contextmanager
def runpod(folder: Path) -> Iterator[RunPodServer]:
    """RunPod, until the end of the ``with``."""
    server = RunPodServer(folder)
    with serving(server):
        server.url += "/v2"
        yield server
