"""``limner remote``: the machines that this user trains on, by ssh."""

from __future__ import annotations

from pathlib import Path

import click

from engine.remote.boxes import Box, box_named, boxes, forget_box, keep_box, read_address
from tui.cli.report import document, echo, json_option, narrate, table


@click.group()
def remote() -> None:
    """Other machines to train on, by ssh: add, list, check, remove."""


@remote.command()
@click.argument("name")
@click.argument("address", metavar="ssh://[USER@]HOST[:PORT]")
@click.option("--directory", default="limner", show_default=True, help="Where projects go there.")
@click.option("--program", default="limner", show_default=True, help="How Limner is called there.")
@click.option("--ssh-config", type=click.Path(path_type=Path), help="A configuration file for ssh; default: your own.")
@click.option("--install", is_flag=True, help="Install this Limner there first; its torch stays.")
@json_option
@click.pass_context
def add(
    context: click.Context,
    name: str,
    address: str,
    directory: str,
    program: str,
    ssh_config: Path | None,
    install: bool,
    as_json: bool,
) -> None:
    """Add the machine at ADDRESS as NAME, and check it.

    ssh's own configuration, keys and known hosts are used. A host that ssh does not know is refused: connect once by
    hand first.
    """
    config = str(ssh_config.resolve()) if ssh_config is not None else None
    box = read_address(name, address, directory=directory, program=program, ssh_config=config)
    keep_box(box)
    _tell(context, _installed(box) if install else box, as_json)


@remote.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List them."""
    found = list(boxes().values())
    if as_json:
        document(
            {"machines": [{"name": each.name, "address": each.address, "directory": each.directory} for each in found]}
        )
        return
    if not found:
        narrate("No machines yet. Add one: limner remote add NAME ssh://USER@HOST")
        return
    table(("name", "address", "directory"), [(each.name, each.address, each.directory) for each in found])


@remote.command()
@click.argument("name")
@click.option("--install", is_flag=True, help="Install this Limner there first, or update it; its torch stays.")
@json_option
@click.pass_context
def check(context: click.Context, name: str, install: bool, as_json: bool) -> None:
    """Check whether NAME can train: ssh, Limner, GPU, torch, disk, clock."""
    box = box_named(name)
    _tell(context, _installed(box) if install else box, as_json)


@remote.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget NAME. Nothing is done there."""
    forget_box(name)
    echo(name)


def _installed(box: Box) -> Box:
    """The machine with this Limner on it, and where it is there, as the list keeps it."""
    from engine.remote.install import install

    found = install(box, lambda words: narrate(f"{words[0].upper()}{words[1:]} …"))
    keep_box(found)
    return found


def _tell(context: click.Context, box: Box, as_json: bool) -> None:
    """What a look at it found; the command fails where something needed is missing."""
    from engine.remote.check import check_box

    narrate(f"Looking at {box.name} ({box.address}) …")
    found = check_box(box)
    if as_json:
        document({"machine": box.name, "checks": [each.record() for each in found]})
    else:
        for each in found:
            echo(f"{'ok' if each.ok else 'FAILED' if each.needed else 'warning':8} {each.name:13} {each.detail}")
            if not each.ok and each.fix:
                echo(f"{'':8} {'':13} → {each.fix}")
    if any(each.failed for each in found):
        context.exit(1)
