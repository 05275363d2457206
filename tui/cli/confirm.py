"""Asking before much is changed at once: the number first, then what to do about it."""

from __future__ import annotations

import sys

import click

from tui.cli.report import echo


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
