"""Asking before much is changed at once, or images leave this machine: what it is first, then the question."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from engine.errors import JobError
from engine.project import Project
from tui.cli.report import echo, narrate

if TYPE_CHECKING:
    from engine.remote.boxes import Box


def agree(question: str) -> None:
    """Asks on standard error and goes on with a yes.

    Raises:
        click.Abort: the answer is no.
        click.UsageError: nobody is there to answer.
    """
    try:
        click.confirm(question, abort=True, err=True)
    except click.Abort:
        if sys.stdin.isatty() or sys.stdin.read(1):
            raise
        echo(err=True)
        raise click.UsageError("No terminal to ask on. Confirm with --yes.") from None


def allowed_machine(project: Project, name: str, yes: bool, command: str) -> Box:
    """The machine, once the images may go there.

    Args:
        project: whose images they are.
        name: the machine's.
        yes: whether that was answered by an option.
        command: what the user called, for the message.

    Raises:
        RemoteError: there is no such machine.
        JobError: they may not.
    """
    from engine.remote.boxes import box_named
    from engine.remote.start import travelling
    from engine.security.trust import confirm, confirmed_addresses

    box = box_named(name)
    if box.address not in confirmed_addresses(project.root):
        narrate(f"To {box.name} ({box.address}) go {travelling(project).words}.")
        if not yes and not (sys.stdin.isatty() and click.confirm("Send them?", err=True)):
            raise JobError("nothing was sent", f"if they may go there: {command} --on {name} --yes")
        confirm(project.root, box.address)
    return box
