"""``limner rent`` and ``limner rented``: what is shown, asked, refused; what every command says first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.rent.ledger import Rental, Stage, write_down
from engine.rent.provider import Order, Wanted
from engine.rent.registry import provider_named
from tests.support.rented.api_server import KEY
from tests.support.rented.runpod_server import RunPodServer, runpod
from tests.support.rented.vast_server import VastServer, vast
from tests.support.small_project import small_project
from tui.cli.main import main


@pytest.fixture
def james(tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LIMNER_RUNPOD_KEY", "RUNPOD_API_KEY", "LIMNER_VAST_KEY", "VAST_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return small_project(tmp_path / "james").root


@pytest.fixture
def at_vast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VastServer]:
    with vast(tmp_path / "vast") as server:
        monkeypatch.setenv("LIMNER_VAST_URL", server.url)
        monkeypatch.setenv("LIMNER_VAST_KEY", KEY)
        yield server


@pytest.fixture
def at_runpod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunPodServer]:
    with runpod(tmp_path / "runpod") as server:
        monkeypatch.setenv("LIMNER_RUNPOD_URL", server.url)
        monkeypatch.setenv("LIMNER_RUNPOD_KEY", KEY)
        yield server


def limner(folder: Path, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(folder), *words])
    return int(ended.value.code or 0)


def test_offers_of_both_are_sorted_by_the_whole_run(
    james: Path, at_vast: VastServer, at_runpod: RunPodServer, capfd: pytest.CaptureFixture[str]
) -> None:
    assert limner(james, "rent", "--list", "--json") == 0
    offers = json.loads(capfd.readouterr().out)["offers"]
    assert {each["provider"] for each in offers} == {"runpod", "vast"}
    costs = [each["cost"] for each in offers if each["cost"] is not None]
    assert costs == sorted(costs)
    assert limner(james, "rent", "--list", "--card", "4090") == 0
    shown = capfd.readouterr().out
    assert "RTX 4090" in shown
    assert "RTX 3090" not in shown
    assert at_vast.machines == at_runpod.machines == []


def test_a_provider_that_fails_leaves_the_others(
    james: Path, at_vast: VastServer, at_runpod: RunPodServer, capfd: pytest.CaptureFixture[str]
) -> None:
    at_vast.key = "another"
    assert limner(james, "rent", "--list") == 0
    told = capfd.readouterr()
    assert "runpod" in told.out
    assert "! the API key of Vast is refused" in told.err


def test_without_a_yes_nothing_is_rented(james: Path, at_vast: VastServer, capfd: pytest.CaptureFixture[str]) -> None:
    assert limner(james, "rent", "--card", "4090", "--budget", "2") == 1
    told = capfd.readouterr().err
    assert "it ends after" in told
    assert "at the latest, which is 2.00 $" in told
    assert "To it go 3 training images" in told
    assert "nothing was rented" in told
    assert at_vast.machines == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rent"], "there is no API key to rent with: set one of LIMNER_RUNPOD_KEY, LIMNER_VAST_KEY"),
        (["rent", "--provider", "vast"], "there is no API key of vast"),
        (["rented", "end"], "which one? Give its label, or --all"),
        (["rent", "--save-key"], "--save-key needs --provider"),
    ],
)
def test_what_is_missing_is_said(james: Path, words: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert limner(james, *words) in (1, 2)
    assert said in capfd.readouterr().err


def test_nothing_of_the_kind_is_said(james: Path, at_vast: VastServer, capfd: pytest.CaptureFixture[str]) -> None:
    assert limner(james, "rent", "--card", "h300", "--yes") == 1
    assert "nothing of that kind is to be had now" in capfd.readouterr().err


def test_what_costs_is_listed_and_ended(james: Path, at_vast: VastServer, capfd: pytest.CaptureFixture[str]) -> None:
    provider = provider_named("vast")
    offer = provider.offers(Wanted("4090"))[0]
    ours = provider.create(offer, Order("limner-ours-1", "ssh-ed25519 A", "t", "", 50))
    provider.create(offer, Order("limner-theirs-1", "ssh-ed25519 A", "t", "", 50))
    provider.create(offer, Order("a-machine-of-the-user", "ssh-ed25519 A", "t", "", 50))
    write_down(
        Rental("limner-ours-1", "vast", "RTX 4090", 0.31, 1.0, 2.0, str(james / "runs/x"), Stage.RENTED, id=ours)
    )
    assert limner(james, "rented", "--json") == 0
    listed = {each["label"]: each for each in json.loads(capfd.readouterr().out)["machines"]}
    assert listed.keys() == {"limner-ours-1", "limner-theirs-1"}
    assert listed["limner-ours-1"]["stage"] == "rented"
    assert listed["limner-theirs-1"]["stage"] is None
    assert limner(james, "runs") == 0
    assert capfd.readouterr().err.startswith("limner: RTX 4090 (vast) costs 0.31 $/h")
    assert limner(james, "rented", "end", "a-machine-of-the-user") == 1
    assert "is not listed" in capfd.readouterr().err
    assert limner(james, "rented", "end", "--all") == 0
    assert [each.label for each in at_vast.running()] == ["a-machine-of-the-user"]
    capfd.readouterr()
    assert limner(james, "runs") == 0
    assert "limner: " not in capfd.readouterr().err


def test_what_nobody_confirmed_is_said_until_it_is(
    james: Path, at_vast: VastServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write_down(Rental("limner-lost-1", "vast", "RTX 4090", 0.31, 1.0, 2.0, str(james / "runs/x")))
    assert limner(james, "runs") == 0
    assert "may have been rented" in capfd.readouterr().err
    monkeypatch.delenv("LIMNER_VAST_KEY")
    assert limner(james, "rented") == 0
    assert "! there is no API key of vast" in capfd.readouterr().err
    monkeypatch.setenv("LIMNER_VAST_KEY", KEY)
    # It is listed nowhere, long after it was asked for.
    assert limner(james, "rented") == 0
    capfd.readouterr()
    assert limner(james, "runs") == 0
    assert capfd.readouterr().err == "No runs yet. Start one with: limner train\n"
