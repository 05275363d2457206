"""The last line on the terminal: what becomes of a run that was left alive, or what went wrong."""

from __future__ import annotations

import time

from engine.jobs.folder import JobFolder, Request
from engine.secrets import without_secrets
from engine.security.private_files import story_of
from engine.training.runs.run_status import RunStatus
from tui.places import log_path
from tui.text.run_summary import how_it_ended

TOLD: dict[Request | None, str] = {
    None: "The run {} continues. Follow it with: limner watch",
    Request.STOP_AFTER_EPOCH: "The run {} stops after this epoch. Follow it with: limner watch",
    Request.STOP: "The run {} stops now. Resume it with: limner resume",
}


def leave_run(run: RunStatus, request: Request | None) -> str:
    """Asks a run for something, or for nothing; returns what becomes of it, or what became. Raises OSError."""
    if not run.live:
        return f"The run {run.id} {how_it_ended(run)[1]}."
    if request is not None:
        JobFolder(run.folder).ask(request)
    return TOLD[request].format(run.id)


def mishap(error: BaseException | None) -> str:
    """A mistake of ours: one line for the user, the whole story in the log."""
    path = log_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(time.strftime("%Y-%m-%d %H:%M:%S\n"))
            log.write(story_of(error))
        where = f"the traceback is in {path}"
    except OSError:
        where = "its log could not be written either"
    return without_secrets(f"limner: {type(error).__name__}: {error}; {where}")
