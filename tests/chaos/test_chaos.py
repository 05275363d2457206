"""A little of ``make chaos``: a few seconds of each kind of kill."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest

from tests.chaos import __main__ as chaos
from tests.chaos.tally import Tally, loss_if_it_fails
from tests.support.rows import usual

pytestmark = pytest.mark.slow


def test_a_library_that_goes_away_in_mid_scan_is_waited_for(tmp_path: Path) -> None:
    tally = chaos.PARTS["database"][0](tmp_path, 3, time.monotonic())
    assert tally.losses == []
    assert tally.faults == {"MariaDB killed in mid-scan": 4, "MariaDB gone for good": 1}


@pytest.mark.long
def test_a_full_disk_is_told_and_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    tally = chaos.PARTS["disk"][0](tmp_path, 2, time.monotonic())
    assert tally.losses == []
    assert sum(tally.faults.values()) == 7


# The trainer is killed in engine/training/test_kills.py, too.
@pytest.mark.parametrize("part", usual(["app", "jobs", "trainer"], 1))
def test_a_few_kills_lose_nothing(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    work, _ = chaos.PARTS[part]
    tally = work(tmp_path, 3, time.monotonic() + 4)
    assert tally.losses == []
    assert sum(tally.kills.values()) >= 2


def test_a_loss_is_told_and_counted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def lossy(folder: Path, seed: int, until: float) -> Tally:
        tally = Tally()
        tally.expect(Random(seed).random() > 2, "figures", "a decision is gone")
        with loss_if_it_fails(tally, "the painter"):
            raise ValueError("half a file")
        return tally

    monkeypatch.setitem(chaos.PARTS, "lossy", (lossy, 1.0))
    monkeypatch.setattr(chaos, "own_home", lambda folder: None)
    assert chaos.main(["--seconds", "0", "lossy"]) == 1
    told = capsys.readouterr().out
    assert "losses: 2\n  a decision is gone\n  the painter: ValueError: half a file" in told
