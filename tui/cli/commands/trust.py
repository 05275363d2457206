"""Command ``trust``: which of the servers that a project's file names may be asked from this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from engine.errors import LimnerError
from engine.library.address import parse_address
from engine.llm.server import canonical_address
from engine.project import Project, open_project, project_folder
from engine.security.trust import confirm, confirm_folder, confirmed_addresses, forget
from tui.cli.report import document, json_option, narrate, table


@click.command()
@click.argument("address", required=False)
@click.option("--forget", "take_back", is_flag=True, help="Withdraw the confirmation of ADDRESS.")
@click.option("--folder", "whole_folder", is_flag=True, help="Open this project although it belongs to another user.")
@json_option
@click.pass_obj
def trust(folder: Path, address: str | None, take_back: bool, whole_folder: bool, as_json: bool) -> None:
    """Confirm the servers that a project's limner.toml names.

    A project may come from somebody else, and a server that it names would get your photos or a password. What you type
    (with connect, in the app's fields, or here) is confirmed; what only stands in limner.toml is not asked until you
    confirm ADDRESS. Without ADDRESS the servers that this project names are listed.
    """
    if whole_folder:
        confirm_folder(project_folder(folder))
    project = open_project(folder)
    if take_back and address is None:
        raise click.UsageError("--forget needs an ADDRESS.")
    if address is not None:
        _change(project, address, take_back)
        return
    if whole_folder:
        narrate(f"Confirmed: {project.root} is opened although it belongs to another user.")
        return
    confirmed = confirmed_addresses(project.root)
    found = [(each.setting, each.url, each.url in confirmed) for each in project.addresses]
    if as_json:
        document({"addresses": [{"setting": s, "address": url, "confirmed": known} for s, url, known in found]})
        return
    if not found:
        narrate("This project names no server.")
        return
    table(("setting", "address", "confirmed"), [(s, url, "yes" if known else "no") for s, url, known in found])


def _change(project: Project, address: str, take_back: bool) -> None:
    spellings = _spellings(address, project.root)
    if take_back:
        known = [each for each in spellings if forget(project.root, each)]
        narrate(f"Forgotten: {known[0]}" if known else f"{spellings[0]} was not confirmed.")
        return
    for each in spellings:
        confirm(project.root, each)
    narrate(f"Confirmed for this project: {spellings[0]}")


def _spellings(address: str, root: Path) -> list[str]:
    """An address as it is kept: as a library's, as a language model's, or both where it may be either.

    Raises:
        LimnerError: it is neither.
    """
    found: list[str] = []
    problem: LimnerError | None = None
    readers: tuple[Callable[[], str], ...] = (
        lambda: parse_address(address, root).url,
        lambda: canonical_address(address),
    )
    for read in readers:
        try:
            found.append(read())
        except LimnerError as error:
            problem = problem or error
    if not found and problem is not None:
        raise problem
    return list(dict.fromkeys(found))
