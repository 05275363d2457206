"""Vast's API on loopback, as far as a client asks it that rents one machine for one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.rented.api_server import ApiServer, serving
from tests.support.rented.machines import Fate, Machine

OFFERS = [
    {"id": 7001, "gpu_name": "RTX 4090", "gpu_ram": 24564, "dph_total": 0.31, "geolocation": "Sweden, SE"},
    {"id": 7002, "gpu_name": "RTX 4090", "gpu_ram": 24564, "dph_total": 0.36, "geolocation": "Texas, US"},
    {"id": 7003, "gpu_name": "RTX 3090", "gpu_ram": 24576, "dph_total": 0.17, "geolocation": "Poland, PL"},
    {"id": 7004, "gpu_name": "RTX 4090", "gpu_ram": 24564, "dph_total": 0.38, "geolocation": "Japan, JP"},
]

LONGEST_ONSTART = 4048


@dataclass
class VastServer(ApiServer):
    """An account at Vast."""

    asks: list[dict[str, Any]] = field(default_factory=lambda: [dict(each) for each in OFFERS])

    def name_of(self, number: int) -> str:
        return str(31_000_000 + number)

    def own_env(self, machine: Machine) -> dict[str, str]:
        return {"CONTAINER_ID": machine.id, "CONTAINER_API_KEY": f"own-{machine.id}"}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        match method, path.removeprefix("/api/v0").strip("/").split("/"):
            case "POST", ["bundles"]:
                most = body.get("dph_total", {}).get("lte", 1e9)
                memory = body.get("gpu_ram", {}).get("gte", 0)
                return 200, {
                    "offers": [each for each in self.asks if each["dph_total"] <= most and each["gpu_ram"] >= memory]
                }
            case "GET", ["ssh"]:
                return 200, [{"id": number, "public_key": each} for number, each in enumerate(self.ssh_keys)]
            case "POST", ["ssh"]:
                self.ssh_keys.append(body["ssh_key"])
                return 200, {"success": True}
            case "PUT", ["asks", id]:
                return self._create(int(id), body)
            case "GET", ["instances"]:
                found = [self._instance(each) for each in self.listed()]
                return 200, {"instances_found": len(found), "instances": found}
            case "GET", ["instances", id]:
                machine = self.found(id)
                return 200, {"instances": self._instance(machine) if machine else None}
            case "DELETE", ["instances", id]:
                if self.end(id):
                    return 200, {"success": True}
                return 404, {"success": False, "error": "no_such_instance", "msg": f"instance {id} not found"}
        return 404, {"success": False, "msg": "not found"}

    def _create(self, id: int, body: dict[str, Any]) -> tuple[int, Any]:
        offer = next((each for each in self.asks if each["id"] == id), None)
        if len(body["onstart"]) > LONGEST_ONSTART:
            return 400, {"success": False, "error": "invalid_args", "msg": "onstart is too long"}
        assert body["runtype"] == "ssh"
        assert body["cancel_unavail"] is True
        made = None
        if offer is not None:
            made = self.made(body["label"], offer["dph_total"], dict(body["env"]), body["onstart"])
        if made is None:
            return 410, {"success": False, "error": "no_such_ask", "msg": f"ask {id} is not available"}
        return 200, {"success": True, "new_contract": int(made.id)}

    def _instance(self, machine: Machine) -> dict[str, Any]:
        status = {Fate.LOST: "exited", Fate.NEVER: "loading"}.get(machine.fate, "running")
        ready = status == "running"
        return {
            "id": int(machine.id),
            "label": machine.label,
            "actual_status": status,
            "dph_total": machine.price,
            "ssh_host": "127.0.0.1" if ready else None,
            "ssh_port": machine.port if ready else None,
        }


@contextmanager
def vast(folder: Path) -> Iterator[VastServer]:
    """Vast, until the end of the ``with``."""
    server = VastServer(folder)
    with serving(server):
        server.url += "/api/v0"
        yield server
