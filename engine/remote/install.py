"""Installing this Limner on another machine, in an environment of its own that keeps the torch that is there."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from engine import __version__
from engine.remote.boxes import Box, RemoteError
from engine.remote.own_wheel import write_wheel
from engine.remote.ssh import Answer, Ssh

PYTHONS = ("python3", "/venv/main/bin/python3", "/opt/conda/bin/python3", "python3.14", "python3.13", "python3.12")
"""Where images for training have theirs; one that has torch is taken before one that has not."""

OLDEST = (3, 11)

ROOM_GB, ROOM_WITH_TORCH_GB = 3, 9
"""Free disk that the packages need, without torch and with it."""

INSTALL_SECONDS = 3600.0

_LOOK = """
import importlib.util, sys, sysconfig
from importlib.metadata import version
torch = version("torch") if importlib.util.find_spec("torch") else "-"
print("%d.%d" % sys.version_info[:2], torch, sys.prefix != sys.base_prefix, sysconfig.get_path("purelib"))
"""
"""Prints a Python's version, its torch, whether it is an environment, and where its packages are."""

_VERSION = re.compile(r"[0-9][0-9A-Za-z.+_-]{0,60}", re.ASCII)


@dataclass(frozen=True)
class _Python:
    program: str
    version: tuple[int, int]
    torch: str | None
    in_environment: bool
    packages: str


def install(box: Box, tell: Callable[[str], None]) -> Box:
    """Installs this Limner there, or brings it up to date. A second call goes on where one was cut.

    Args:
        box: the machine.
        tell: hears what is done.

    Returns:
        the machine with its ``program``; whoever asked keeps it.

    Raises:
        BoxUnreachable: the line was cut.
        RemoteError: there is no Python for it, no room, or pip can't.
    """
    ssh = Ssh(box)
    env = f"{box.directory.rstrip('/')}-env"
    tell("looking for Python and torch")
    python = _best_python(ssh)
    _check_room(ssh, python)
    if ssh.run(["test", "-x", f"{env}/bin/pip"]).code:
        tell(f"making {env}")
        _make_environment(ssh, python, env)
    with tempfile.TemporaryDirectory(prefix="limner-") as folder:
        wheel = write_wheel(Path(folder))
        there = f"{env}/{wheel.name}"
        tell(f"sending Limner {__version__} ({wheel.stat().st_size / 1e6:.0f} MB)")
        ssh.send(wheel, there)
    tell("installing it and its packages" + (f", with torch {python.torch} as it is" if python.torch else " and torch"))
    _pip(ssh, env, there, python)
    program = _must(ssh, ssh.run(["realpath", "--", f"{env}/bin/limner"], most=10_000), "find it").text.strip()
    found = replace(box, program=shlex.quote(program))
    said = Ssh(found).run([program, "--version"], seconds=300)
    if said.text.split()[-1:] != [__version__]:
        raise RemoteError(f"Limner does not start on {box.name}: {said.last_words}", f"there: {program} --version")
    return found


def _best_python(ssh: Ssh) -> _Python:
    """Raises RemoteError where none is new enough."""
    found = [each for program in PYTHONS if (each := _look(ssh, program)) is not None]
    fitting = [each for each in found if each.version >= OLDEST]
    if not fitting:
        there = f"Python {found[0].version[0]}.{found[0].version[1]}" if found else "no Python"
        raise RemoteError(
            f"{ssh.box.name} has {there}; 3.11 is needed", "there: apt install python3.12 python3.12-venv"
        )
    return next((each for each in fitting if each.torch), fitting[0])


def _look(ssh: Ssh, program: str) -> _Python | None:
    said = ssh.run([program, "-c", _LOOK], most=10_000)
    words = said.text.split(maxsplit=3)
    if said.code or len(words) != 4 or not re.fullmatch(r"\d{1,2}\.\d{1,3}", words[0]):
        return None
    major, _, minor = words[0].partition(".")
    torch = words[1] if words[1] != "-" and _VERSION.fullmatch(words[1]) else None
    return _Python(program, (int(major), int(minor)), torch, words[2] == "True", words[3].strip())


def _check_room(ssh: Ssh, python: _Python) -> None:
    said = ssh.run(["df", "-Pk", "."], most=10_000)
    fields = said.text.splitlines()[-1].split() if said.text.strip() else []
    needed = ROOM_GB if python.torch else ROOM_WITH_TORCH_GB
    if len(fields) > 3 and fields[3].isdigit() and int(fields[3]) * 1024 < needed * 1e9:
        free = int(fields[3]) * 1024 / 1e9
        raise RemoteError(f"{ssh.box.name} has {free:.1f} GB free; Limner needs {needed}", "make room there")


def _make_environment(ssh: Ssh, python: _Python, env: str) -> None:
    made = ssh.run([python.program, "-m", "venv", "--system-site-packages", env], seconds=300)
    if made.code:
        package = f"python{python.version[0]}.{python.version[1]}-venv"
        fix = f"there: apt install {package}"
        raise RemoteError(f"{ssh.box.name} can't make an environment: {made.last_words}", fix)
    if python.in_environment:
        # An environment's packages are not its base's: the new one is shown the way to them.
        site = f"{shlex.quote(env)}/lib/python{python.version[0]}.{python.version[1]}/site-packages"
        written = ssh.shell(f"cat > {site}/torch-of-this-machine.pth", stdin=f"{python.packages}\n".encode())
        _must(ssh, written, "make an environment")


def _pip(ssh: Ssh, env: str, wheel: str, python: _Python) -> None:
    limits = f"torch=={python.torch}\n" if python.torch else ""
    _must(ssh, ssh.shell(f"cat > {shlex.quote(env)}/keep.txt", stdin=limits.encode() or b"\n"), "write a file")
    pip = [f"{env}/bin/pip", "install"]
    # Limner first, whatever of it is there already, then what it needs.
    for words in ([*pip, "--no-deps", "--force-reinstall", wheel], [*pip, "--constraint", f"{env}/keep.txt", wheel]):
        done = ssh.run(words, seconds=INSTALL_SECONDS)
        if done.code:
            raise RemoteError(f"{ssh.box.name} can't install Limner: {done.last_words}", "there: " + shlex.join(words))
    ssh.run(["rm", "-f", "--", wheel])


def _must(ssh: Ssh, answer: Answer, what: str) -> Answer:
    if answer.code:
        raise RemoteError(f"{ssh.box.name} can't {what}: {answer.last_words}", "look at its disk and rights")
    return answer
