"""``limner doctor``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tui.cli.report import document, json_option, say


@click.command()
@json_option
@click.pass_obj
def doctor(folder: Path, as_json: bool) -> int:
    """Check this machine and this terminal, with a command that fixes each problem.

    Exit status 1 where something is missing that nothing works without; what only slows or narrows is a warning.
    """
    from engine.doctor import examine
    from tui.places import config_folder
    from tui.terminal.checks import terminal_checks
    from tui.terminal.query import asked_terminal, suit_colours
    from tui.theming.user_config import read_config

    with asked_terminal() as asked:
        checks = examine(folder)
        asked.collect()
    environment = dict(os.environ)
    suit_colours(asked, environment)
    checks = [*checks, *terminal_checks(asked, read_config(config_folder()).settings.pictures, environment)]
    if as_json:
        document({"checks": [check.record() for check in checks]})
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            mark = "ok     " if check.ok else "missing" if check.needed else "warning"
            say(f"{mark}  {check.name:<{width}}  {check.detail}")
            if check.fix:
                say(f"{'':9}{'':<{width}}  → {check.fix}")
    return int(any(check.failed for check in checks))
