"""The command line. Commands are imported when they are called, and never import Textual themselves."""

from __future__ import annotations

import importlib
import io
import sqlite3
import sys
from pathlib import Path
from typing import Any

import click

from engine import __version__
from engine.errors import LimnerError
from engine.secrets import without_secrets
from engine.security.private_files import keep_private, story_of
from engine.storage.os_errors import explain
from tui.cli.ctrl_c import deaf_again, end_at_once, hear_interrupts

COMMANDS: dict[str, tuple[str, str]] = {
    "new": ("tui.cli.commands.project:new", "Make a project folder."),
    "demo": ("tui.cli.commands.demo:demo", "Make the demo project; --run runs all steps."),
    "trust": ("tui.cli.commands.trust:trust", "Confirm the servers that a project's limner.toml names."),
    "connect": ("tui.cli.commands.library:connect", "Connect a photo library, and check it."),
    "people": ("tui.cli.commands.library:people", "List the library's people."),
    "faces": ("tui.cli.commands.faces:faces", "Scan, list, show, keep and reject faces."),
    "dataset": ("tui.cli.commands.dataset:dataset", "Build the training images."),
    "caption": ("tui.cli.commands.captions:caption", "Write captions."),
    "captions": ("tui.cli.commands.captions:captions", "Tags of the whole set: count, rename, remove, add, undo."),
    "export": ("tui.cli.commands.dataset:export", "Write the dataset for another trainer."),
    "estimate": ("tui.cli.commands.estimate:estimate", "Estimate a run: images, steps, time and money."),
    "train": ("tui.cli.commands.training:train", "Train a LoRA; the run continues when the terminal closes."),
    "remote": ("tui.cli.commands.remote:remote", "Other machines to train on, by ssh."),
    "rent": ("tui.cli.commands.rent:rent", "Rent a machine by the hour, train there, end it."),
    "rented": ("tui.cli.commands.rent:rented", "List and end rented machines."),
    "runs": ("tui.cli.commands.runs:runs", "List the training runs of this project."),
    "watch": ("tui.cli.commands.runs:watch", "Follow a run live."),
    "pause": ("tui.cli.commands.training:pause", "Pause a run."),
    "resume": ("tui.cli.commands.training:resume", "Resume a run that was paused, stopped or killed."),
    "sample": ("tui.cli.commands.training:sample", "Paint a run's sample prompts now."),
    "stop": ("tui.cli.commands.training:stop", "Stop a run, now or after the epoch."),
    "lora": ("tui.cli.commands.lora:lora", "Inspect a LoRA file."),
    "prompt": ("tui.cli.commands.prompt:prompt", "Inspect a prompt; the library of prompts."),
    "vary": ("tui.cli.commands.vary:vary", "Vary a prompt."),
    "paint": ("tui.cli.commands.paint:paint", "Paint pictures."),
    "queue": ("tui.cli.commands.queue:queue", "The painting queue: list, cancel, move, retry."),
    "pictures": ("tui.cli.commands.pictures:pictures", "List, rate and export pictures."),
    "grid": ("tui.cli.commands.grid:grid", "Compare checkpoints, weights, prompts … as an X/Y plot."),
    "grids": ("tui.cli.commands.grid:grids", "List the grids, and how far they are."),
    "votes": ("tui.cli.commands.grid:votes", "Rank checkpoints and prompts by votes."),
    "likeness": ("tui.cli.commands.likeness:likeness", "Measure how much the portraits look like the person."),
    "bundle": ("tui.cli.commands.bundle:bundle", "Pack the project, or its runs or pictures, into one file."),
    "unbundle": ("tui.cli.commands.bundle:unbundle", "Open a bundle."),
    "doctor": ("tui.cli.commands.doctor:doctor", "Check this machine and this terminal."),
    "keys": ("tui.cli.commands.project:keys", "List the app's keys."),
    "locate": ("tui.cli.commands.project:locate", "Show where Limner keeps its files."),
}
"""Each command: where it lives, and its line in ``limner --help``."""


class LateGroup(click.Group):
    """A group whose commands are imported when they are needed: ``limner --version`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports one command."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help's list, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LateGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-C", "folder", type=click.Path(path_type=Path), default=Path(), help="The project's folder.")
@click.version_option(__version__, prog_name="limner")
@click.pass_context
def limner(context: click.Context, folder: Path) -> None:
    """Portraits of one person: from a photo library to a LoRA and its pictures.

    Without a command the app opens on the project here.
    """
    context.obj = folder
    _tell_of_rentals()
    if context.invoked_subcommand is None:
        from tui.app.launch import open_app

        deaf_again()
        open_app(folder)
    if (folder / "limner.toml").is_file():
        from tui.cli.old_settings import tell_of_old_names

        tell_of_old_names(folder)


def main(arguments: list[str] | None = None) -> int:
    """Runs a command. Exit status: 0 done, 1 failed, 2 used wrongly, 130 interrupted."""
    keep_private()
    if arguments is None:
        hear_interrupts()
    try:
        result: Any = limner.main(args=arguments, prog_name="limner", standalone_mode=False)
        status = result if isinstance(result, int) else 0
    except LimnerError as error:
        _tell(error.one_line())
        status = 1
    except click.exceptions.Abort:
        _tell("interrupted")
        status = 130
        if arguments is None:
            end_at_once(status)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        click.echo(without_secrets(shown.getvalue()), err=True, nl=False)
        status = error.exit_code
    except click.exceptions.Exit as exit_:
        status = exit_.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        status = 0
    except (OSError, sqlite3.Error, UnicodeEncodeError) as error:
        told = explain(error)
        _tell(told.one_line() if told else str(error))
        status = 1
    except Exception as error:
        # A mistake of ours, whole, but for secrets that a library quotes.
        click.echo(story_of(error), err=True, nl=False)
        status = 1
    sys.exit(status)


def _tell_of_rentals() -> None:
    """First of all: rented machines that may cost though nothing looks after them."""
    from engine.rent.ledger_file import ledger_file

    if not ledger_file().exists():
        return
    from engine.rent.ledger import notices

    for line in notices():
        _tell(line)


def _tell(text: str) -> None:
    from tui.text.sanitize import sanitize

    click.echo(f"limner: {sanitize(without_secrets(text))}", err=True)


if __name__ == "__main__":
    main()
