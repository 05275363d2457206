"""Whether another machine can train: ssh, Limner, its clock, and what Limner's own doctor says there."""

from __future__ import annotations

import shlex
import time

from engine import __version__
from engine.counting import many
from engine.doctor.check import Check
from engine.errors import LimnerError
from engine.remote.boxes import Box
from engine.remote.limner_there import MARK
from engine.remote.ssh import Answer, Ssh
from engine.storage.untrusted_files import parse_json

CLOCK_SECONDS = 120.0
"""That two clocks may be apart before it is told."""

TOOLS = ("sha256sum", "stat", "tail", "head", "mkdir", "mv")
"""Programs that carrying files needs."""

HERE_ONLY = frozenset({"project", "terminal", "library", "photos"})
"""Checks that mean nothing on a machine that only trains."""

DOCTOR_SECONDS = 300.0
"""That the doctor there may take: it loads torch."""


def check_box(box: Box) -> list[Check]:
    """Looks at a machine; stops where nothing more can be found out."""
    ssh = Ssh(box)
    try:
        began = time.time()
        answer = ssh.run(["date", "+%s"], seconds=40)
        found = [Check("ssh", True, f"{box.address} answers in {time.time() - began:.1f} s"), _clock(answer, began)]
        found.append(_tools(ssh))
        version = ssh.run([*shlex.split(box.program), "--version"], seconds=60)
        found.append(_limner(box, version))
        if version.code == 0:
            found += doctor_there(ssh, box)
        if (kept := _left_there(ssh, box)) is not None:
            found.append(kept)
    except LimnerError as error:
        return [Check("ssh", False, error.what, error.fix, needed=True)]
    return found


def _clock(answer: Answer, began: float) -> Check:
    text = answer.text.strip()
    if not (text.isdigit() and len(text) < 12):
        return Check("clock", False, "it does not tell the time", "look at what answers there")
    apart = int(text) - began
    if abs(apart) <= CLOCK_SECONDS:
        return Check("clock", True, "as here")
    way = "ahead" if apart > 0 else "behind"
    return Check("clock", False, f"{abs(apart) / 60:,.0f} min {way} of this machine's", "timedatectl set-ntp true")


def _tools(ssh: Ssh) -> Check:
    said = ssh.shell(f"for each in {' '.join(TOOLS)}; do command -v $each >/dev/null || echo $each; done", most=10_000)
    missing = [word for word in said.text.split() if word in TOOLS]
    if missing:
        return Check("tools", False, f"missing: {', '.join(missing)}", "apt install coreutils", needed=True)
    return Check("tools", True, "all there")


def _left_there(ssh: Ssh, box: Box) -> Check | None:
    """Folders of runs that were stopped, failed or are under way; None: there are none."""
    folder = shlex.quote(box.directory.rstrip("/"))
    look = f'for d in {folder}/*/; do [ -e "$d{MARK}" ] && du -sm -- "$d"; done'
    found = []
    for line in ssh.shell(look, most=100_000).text.splitlines()[:200]:
        size, _, path = line.partition("\t")
        if size.isdigit() and len(size) < 9 and path:
            found.append((int(size), path.rstrip("/").rpartition("/")[2]))
    if not found:
        return None
    names = ", ".join(name for _, name in found[:5]) + (" …" if len(found) > 5 else "")
    words = f"{many(len(found), 'folder')} of runs, {sum(size for size, _ in found):,} MB: {names}"
    return Check("kept there", True, f"{words}; go on with them here: limner resume, or remove them there")


def _limner(box: Box, version: Answer) -> Check:
    fix = f"limner remote check {box.name} --install"
    if version.code:
        return Check("limner", False, f"{box.program} is not there", fix, needed=True)
    words = version.text.split()
    there = words[-1][:40] if words else "?"
    if there != __version__:
        return Check("limner", False, f"{there} there, {__version__} here", fix)
    return Check("limner", True, there)


def doctor_there(ssh: Ssh, box: Box) -> list[Check]:
    """What Limner's own doctor says there, as far as it matters to a machine that only trains."""
    answer = ssh.run([*shlex.split(box.program), "doctor", "--json"], seconds=DOCTOR_SECONDS)
    try:
        checks = parse_json(answer.text)["checks"]
        found = [
            Check(
                str(each["name"])[:30],
                bool(each["ok"]),
                str(each["detail"])[:500],
                str(each.get("fix", ""))[:500],
                bool(each.get("needed")),
            )
            for each in checks[:50]
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [Check("doctor", False, answer.last_words, "there: limner doctor")]
    return [each for each in found if each.name not in HERE_ONLY]
