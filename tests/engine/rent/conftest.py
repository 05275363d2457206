"""Two accounts, each at an API on loopback that behaves as its provider's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.rent.provider import Order, Provider
from engine.rent.registry import provider_named
from tests.support.rented.api_server import KEY, ApiServer
from tests.support.rented.runpod_server import runpod
from tests.support.rented.vast_server import vast

SERVERS = {"runpod": runpod, "vast": vast}


@pytest.fixture(params=["runpod", "vast"])
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    name = request.param
    with SERVERS[name](tmp_path / name) as server:
        monkeypatch.setenv(f"LIMNER_{name.upper()}_URL", server.url)
        monkeypatch.setenv(f"LIMNER_{name.upper()}_KEY", KEY)
        monkeypatch.setattr("engine.rent.providers.api.WAITS", (0.01, 0.01, 0.01))
        yield server


@pytest.fixture
def provider(server: ApiServer) -> Provider:
    return provider_named("runpod" if "runpod" in str(server.folder) else "vast")


@pytest.fixture
def order() -> Order:
    return Order("limner-test-1", "ssh-ed25519 AAAAC3Nz limner", "the-token", "echo booted > booted", 50)
