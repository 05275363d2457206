"""The doctor: what is told of a machine, and that what mends it is the exact command."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.doctor import Check, examine
from engine.doctor.base import base_check, hub_folder
from engine.doctor.card import Cards, Torch, card_check, has_card, read_torch, torch_check
from engine.doctor.library import library_checks
from engine.doctor.room import disk_checks, memory_check
from engine.project import Project
from engine.settings import BaseSettings
from tui.cli.main import limner

ADA = Cards(("NVIDIA L40S",), (48 * 10**9,), (47 * 10**9,), "550.54", 12040)


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


class TestTheCard:
    def test_is_named_with_its_memory_and_driver(self) -> None:
        check = card_check(ADA, in_machine=True)
        assert check.ok
        assert check.detail == "NVIDIA L40S, 47.0 GB of 48.0 GB free (driver 550.54, CUDA 12.4)"

    def test_without_a_driver_gets_the_command_that_installs_it(self) -> None:
        check = card_check(Cards(problem="NVML Shared Library Not Found"), in_machine=True)
        assert not check.ok
        assert check.fix.endswith("sudo reboot")

    def test_none_is_a_warning_only(self) -> None:
        check = card_check(Cards(problem="no"), in_machine=False)
        assert (check.ok, check.failed) == (False, False)

    def test_is_found_on_the_bus_by_its_maker(self, tmp_path: Path) -> None:
        for name, vendor, kind in (("a", "0x8086", "0x030000"), ("b", "0x10de", "0x040300")):
            (tmp_path / name).mkdir()
            (tmp_path / name / "vendor").write_text(f"{vendor}\n")
            (tmp_path / name / "class").write_text(f"{kind}\n")
        assert not has_card(tmp_path)
        (tmp_path / "b" / "class").write_text("0x030200\n")
        assert has_card(tmp_path)


class TestTorch:
    @pytest.mark.parametrize(
        ("cuda", "ok"), [("12.4", True), ("12.8", True), ("11.8", True), ("13.0", False), (None, False)]
    )
    def test_must_fit_the_driver(self, cuda: str | None, ok: bool) -> None:
        check = torch_check(Torch("2.13.0", cuda), ADA, lambda: (True, "bf16"))
        assert check.ok is ok
        assert ok or check.fix.endswith("--index-url https://download.pytorch.org/whl/cu124")

    def test_that_does_not_see_the_card_says_why(self) -> None:
        check = torch_check(Torch("2.13.0", "12.4"), ADA, lambda: (False, "CUDA error: busy"))
        assert not check.ok
        assert "CUDA error: busy" in check.detail

    def test_that_is_missing_is_a_failure(self) -> None:
        assert torch_check(None, Cards()).failed

    def test_here_is_read_from_its_package(self) -> None:
        import torch

        told = read_torch()
        assert told is not None
        assert (told.version, told.cuda) == (torch.__version__, torch.version.cuda)


class TestRoom:
    def test_memory_is_what_a_container_gets(self, tmp_path: Path) -> None:
        meminfo = tmp_path / "meminfo"
        meminfo.write_text("MemTotal:       65536000 kB\nMemAvailable:   60000000 kB\n")
        assert memory_check(meminfo=meminfo, cgroup=tmp_path).ok
        (tmp_path / "memory.max").write_text(f"{8 * 10**9}\n")
        (tmp_path / "memory.current").write_text(f"{2 * 10**9}\n")
        check = memory_check(meminfo=meminfo, cgroup=tmp_path)
        assert not check.ok
        assert check.detail.startswith("6.0 GB of 8.0 GB free")
        assert memory_check(True, meminfo, tmp_path).ok

    @pytest.mark.parametrize(
        ("line", "folder", "names"),
        [
            ("0::/user.slice/box", "user.slice/box", ("memory.max", "memory.current")),
            ("7:memory:/box", "memory/box", ("memory.limit_in_bytes", "memory.usage_in_bytes")),
            ("7:cpu,memory:/", "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")),
        ],
    )
    def test_of_a_group_of_processes_counts(
        self, tmp_path: Path, line: str, folder: str, names: tuple[str, str]
    ) -> None:
        meminfo, ours, place = tmp_path / "meminfo", tmp_path / "ours", tmp_path / folder
        meminfo.write_text("MemTotal:       65536000 kB\nMemAvailable:   60000000 kB\n")
        ours.write_text(f"3:pids:/x\n{line}\nodd\n")
        place.mkdir(parents=True, exist_ok=True)
        for name, size in zip(names, (8 * 10**9, 2 * 10**9), strict=True):
            (place / name).write_text(f"{size}\n")
        (tmp_path / "memory.max").touch()
        assert memory_check(True, meminfo, tmp_path, ours).detail == "6.0 GB of 8.0 GB free"

    def test_folders_on_one_disk_are_told_once(self, tmp_path: Path) -> None:
        checks = disk_checks({"project": tmp_path / "a", "models": tmp_path / "b" / "c"}, base_is_tiny=True)
        assert [check.detail.split(":")[0] for check in checks] == ["project and models"]

    def test_a_full_disk_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2 * 10**9))
        check = disk_checks({"project": tmp_path})[0]
        assert not check.ok
        assert check.fix.startswith("du -xh")


class TestTheBaseModel:
    def test_of_the_demo_is_there(self) -> None:
        assert base_check(BaseSettings(model="demo")).ok

    def test_that_lacks_a_part_or_weights_is_told(self, tmp_path: Path) -> None:
        from engine.models.locate import find_base

        whole = Path(find_base(BaseSettings(model="demo")).source)
        shutil.copytree(whole, tmp_path / "base")
        assert base_check(BaseSettings(model=str(tmp_path / "base"))).ok
        (tmp_path / "base/unet/diffusion_pytorch_model.safetensors").unlink()
        shutil.rmtree(tmp_path / "base/tokenizer_2")
        check = base_check(BaseSettings(model=str(tmp_path / "base")))
        assert check.failed
        assert check.detail.endswith("lacks the weights in unet, tokenizer_2") or "tokenizer_2" in check.detail

    def test_that_is_not_there_is_a_failure(self, tmp_path: Path) -> None:
        assert base_check(BaseSettings(model=str(tmp_path / "nothing.safetensors"))).failed

    def test_that_was_cut_off_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "sdxl.safetensors").write_bytes(b"\0" * 1000)
        assert not base_check(BaseSettings(model=str(tmp_path / "sdxl.safetensors"))).ok

    def test_from_the_hub_is_looked_for_in_its_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from engine.models.locate import find_base

        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
        settings = BaseSettings(model="someone/sdxl")
        assert base_check(settings).fix.startswith("hf download someone/sdxl ")
        model = tmp_path / "models--someone--sdxl"
        (model / "refs").mkdir(parents=True)
        (model / "refs/main").write_text("abc")
        shutil.copytree(find_base(BaseSettings(model="demo")).source, model / "snapshots/abc")
        assert hub_folder("someone/sdxl") == model / "snapshots/abc"
        assert base_check(settings).ok
        weights = model / "snapshots/abc/vae/diffusion_pytorch_model.safetensors"
        weights.unlink()
        weights.symlink_to(tmp_path / "blobs/never-fetched")
        assert "partly downloaded: the weights in vae" in base_check(settings).detail


class TestTheLibrary:
    def test_that_is_not_connected_gets_the_command(self, project: Project) -> None:
        check = library_checks(project, project.settings.library)[0]
        assert check.fix == f"limner -C {project.root} connect URL"

    def test_that_is_gone_is_told(self, project: Project) -> None:
        project.change({"library.url": "sqlite:///nowhere/index.db"})
        check = library_checks(project, project.settings.library)[0]
        assert not check.ok
        assert "/nowhere/index.db" in check.detail


def test_a_machine_is_looked_at_quickly_and_without_torch(project: Project) -> None:
    project.change({"base.model": "demo"})
    before, began = sum(os.times()[:4]), time.monotonic()
    checks = by_name(examine(project.root))
    # Of the processor, children included, for this machine may be running everything else at the same time; and it
    # waits for nobody who doesn't answer.
    assert sum(os.times()[:4]) - before < 6
    assert time.monotonic() - began < 60
    assert {"project", "gpu", "torch", "memory", "disk", "library", "base model", "packages"} <= checks.keys()
    assert checks["project"].ok
    assert all(check.fix for check in checks.values() if not check.ok)


def test_without_a_project_the_machine_is_told_all_the_same(tmp_path: Path) -> None:
    checks = by_name(examine(tmp_path))
    assert checks["project"].fix == "limner new DIR"
    assert not checks["project"].failed


def test_broken_settings_are_a_failure_with_their_fix(project: Project) -> None:
    project.settings_path.write_text("[training]\nepoch = 3\n")
    check = by_name(examine(project.root))["project"]
    assert check.failed
    assert check.fix == "did you mean training.epochs?"


class TestTheCommand:
    def test_is_one_document_and_exits_well_with_warnings(self, project: Project) -> None:
        project.change({"base.model": "demo"})
        done = CliRunner().invoke(limner, ["-C", str(project.root), "doctor", "--json"], standalone_mode=False)
        checks = json.loads(done.stdout)["checks"]
        assert all({"name", "ok", "detail", "fix"} <= check.keys() for check in checks)
        assert any(not check["ok"] for check in checks)
        assert done.return_value == 0

    def test_exits_with_one_where_something_needed_is_missing(self, project: Project) -> None:
        project.change({"base.model": "/nowhere/sdxl.safetensors"})
        done = CliRunner().invoke(limner, ["-C", str(project.root), "doctor"], standalone_mode=False)
        assert done.return_value == 1
        assert "missing  base model" in done.stdout
        assert "→ check base.model in limner.toml" in done.stdout
