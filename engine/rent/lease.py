"""How long a rented machine may live, and what it needs to hold itself to that."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from engine.rent.provider import LONGEST_BOOT, RentError, SelfEnd

HEARTBEAT = ".limner-heartbeat"
"""A file in the home folder there, which is touched while somebody here follows the run."""

SILENT_SECONDS = 1800.0
"""After so long without a heartbeat and without a new line in a run's log the machine ends itself: time enough for who
follows it to come back and fetch what is not here yet."""

LOOK_SECONDS = 20.0
"""How often the watchdog looks."""

_FILE = ".limner-watchdog.py"


@dataclass(frozen=True)
class Lease:
    """When a rented machine ends by itself."""

    seconds: float
    """After so long in all, however it goes."""
    silent: float = SILENT_SECONDS
    look: float = LOOK_SECONDS


def start_script(lease: Lease, own_end: SelfEnd, directory: str, stays: bool = False) -> str:
    """A shell script that puts the watchdog onto a machine and starts it; harmless where it runs already.

    Args:
        lease: when it is to end the machine.
        own_end: how the machine ends itself.
        directory: where projects go there, relative to the home folder.
        stays: whether the script ends only with the watchdog.

    Raises:
        RentError: it is longer than a provider takes.
    """
    source = Path(__file__).with_name("watchdog.py").read_text(encoding="utf-8")
    # Its first comment is for readers here.
    source = re.sub(r'\A""".*?"""\n+', "", source, flags=re.DOTALL)
    watchdog = f"python3 {_FILE} {_order(lease, own_end, directory)}"
    begin = f"exec {watchdog}" if stays else f"nohup setsid {watchdog} >/dev/null 2>&1 </dev/null &"
    script = f"cd ~ && cat > {_FILE} <<'LIMNER'\n{source}LIMNER\n{begin}\n"
    if len(script) > LONGEST_BOOT:
        raise RentError(f"the watchdog's script has {len(script):,} letters", f"at most {LONGEST_BOOT:,} are taken")
    return script


def trial_command(own_end: SelfEnd) -> str:
    """A shell's command there that prints the HTTP status with which the provider answers the machine's own key."""
    test = json.dumps({"test": True, "address": own_end.address, **_variables(own_end)})
    return f"cd ~ && python3 {_FILE} {shlex.quote(test)}"


def _order(lease: Lease, own_end: SelfEnd, directory: str) -> str:
    order = {
        "address": own_end.address,
        **_variables(own_end),
        "seconds": round(lease.seconds, 1),
        "silent": lease.silent,
        "look": lease.look,
        "alive": HEARTBEAT,
        "logs": f"{directory}/*/project/runs/*/events.jsonl",
    }
    return shlex.quote(json.dumps(order))


def _variables(own_end: SelfEnd) -> dict[str, str]:
    return {"id": own_end.id_variable, "key": own_end.key_variable}
