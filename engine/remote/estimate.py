"""Estimating a run by a probe on another machine: the dataset goes there, steps are measured, nothing stays."""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.bundle.bundle import bundle_project
from engine.project import Project
from engine.remote.boxes import Box, RemoteError
from engine.remote.limner_there import LimnerThere, as_options
from engine.remote.ssh import Answer
from engine.remote.start import refuse_own_files
from engine.settings import with_changes

PROBE_SECONDS = 1800.0
"""That a probe may take there, its base model's download included."""


def estimate_on(
    project: Project, box: Box, changes: Mapping[str, Any], as_json: bool, tell: Callable[[str], None]
) -> Answer:
    """What Limner there says of the run, after a probe.

    Args:
        project: the project; its dataset is sent, and removed there.
        box: the machine.
        changes: dotted settings for this estimate alone.
        as_json: whether it is a JSON document, else what a person reads.
        tell: hears what is done.

    Raises:
        BoxUnreachable: there is no way there, or it was cut.
        RemoteError: it can't be estimated there, or a setting names a file of this machine.
        BundleError: there is no dataset.
    """
    refuse_own_files(with_changes(project.settings, dict(changes)), changes)
    name = re.sub(r"[^\w.-]+", "_", project.root.name, flags=re.ASCII)[:40]
    token = secrets.token_hex(8)
    there = LimnerThere(box, f"{box.directory.rstrip('/')}/{name}-estimate-{token}", token)
    there.make_folder()
    try:
        tell("sending the dataset")
        with tempfile.TemporaryDirectory(prefix="limner-") as folder:
            bundle = Path(folder) / "project.limner"
            bundle_project(project, bundle)
            there.ssh.send(bundle, there.bundle)
        there.open_bundle()
        tell(f"probing on {box.name}")
        words = ["estimate", "--probe", *(["--json"] if as_json else []), *as_options(changes)]
        return there.ask(words, PROBE_SECONDS)
    finally:
        with suppress(RemoteError):
            there.remove()
