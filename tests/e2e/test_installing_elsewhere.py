"""Installing Limner on another machine over a real sshd, by pip: the same version as here, and its torch stays."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine import __version__
from engine.remote import install as installing
from engine.remote.boxes import Box, RemoteError
from engine.remote.install import install
from engine.remote.own_wheel import write_wheel
from engine.remote.ssh import Ssh
from tests.support.ssh_box import REPOSITORY, ssh_box

pytestmark = pytest.mark.slow


@pytest.fixture
def box(tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    # The packages of this environment are the machine's own, so that pip fetches nothing.
    monkeypatch.setattr(installing, "PYTHONS", (sys.executable,))
    with ssh_box(tmp_path / "there") as (box, _):
        yield replace(box, program="limner")


@pytest.mark.long
def test_the_wheel_holds_what_a_built_one_holds(tmp_path: Path) -> None:
    built = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "built")]
    subprocess.run([*built, str(REPOSITORY)], check=True, capture_output=True)
    (theirs,) = (tmp_path / "built").glob("*.whl")
    (tmp_path / "ours").mkdir()
    ours = write_wheel(tmp_path / "ours")
    assert ours.name == theirs.name

    def names(path: Path) -> set[str]:
        with zipfile.ZipFile(path) as wheel:
            return {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert names(ours) == names(theirs)
    assert ours.read_bytes() == write_wheel(tmp_path / "ours").read_bytes()


@pytest.mark.long
def test_a_wheel_of_an_installed_limner_is_the_same(tmp_path: Path) -> None:
    first = write_wheel(tmp_path)
    venv.create(tmp_path / "env", symlinks=True)
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    with zipfile.ZipFile(first) as wheel:
        wheel.extractall(site)
    (site / "ours.pth").write_text(str(Path(pytest.__file__).parents[1]) + "\n")
    (tmp_path / "again").mkdir()
    code = "import sys, pathlib; from engine.remote import own_wheel as own; own.write_wheel(pathlib.Path(sys.argv[1]))"
    program = [str(tmp_path / "env/bin/python"), "-c", code, str(tmp_path / "again")]
    subprocess.run(program, check=True, cwd=tmp_path)
    assert (tmp_path / "again" / first.name).read_bytes() == first.read_bytes()


@pytest.mark.long
def test_limner_is_installed_there_and_torch_stays(box: Box) -> None:
    told: list[str] = []
    ssh = Ssh(box)
    found = install(box, told.append)
    assert ssh.shell(f"{found.program} --version").text == f"limner, version {__version__}\n"
    assert any("with torch" in each and "as it is" in each for each in told)
    env = f"{box.directory}-env"
    listed = ssh.shell(f"ls {env}/lib/python*/site-packages").text.split()
    assert "engine" in listed
    assert "torch" not in listed
    assert ssh.shell(f"ls {env}").text.split() == ["bin", "include", "keep.txt", "lib", "lib64", "pyvenv.cfg"]
    # A second time, as after a cut.
    ssh.shell(
        f"rm -r {env}/lib/python*/site-packages/tui; echo half > {env}/limner-{__version__}-py3-none-any.whl.part"
    )
    again = install(box, told.append)
    assert ssh.shell(f"{again.program} --version").code == 0


def test_what_is_missing_there_is_named_with_its_command(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "OLDEST", (3, 99))
    with pytest.raises(RemoteError, match=r"3.11 is needed: there: apt install python3.12"):
        install(box, print)
    monkeypatch.setattr(installing, "OLDEST", (3, 11))
    monkeypatch.setattr(installing, "ROOM_GB", 1e9)
    with pytest.raises(RemoteError, match="GB free; Limner needs"):
        install(box, print)
    monkeypatch.setattr(installing, "PYTHONS", ("no-python-here",))
    with pytest.raises(RemoteError, match="has no Python"):
        install(box, print)
