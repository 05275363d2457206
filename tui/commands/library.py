"""Commands about the library: ``connect`` and ``people``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from engine.errors import LimnerError, WrongPassword
from engine.library import password as passwords
from engine.library.address import LibraryAddress, ServerKind, parse_address
from engine.library.people import Person
from engine.library.photoprism import Description, PhotoPrismLibrary
from engine.library.photoprism import connect as open_library
from engine.library.roots import RootCheck, check_roots
from engine.project import Project, open_project
from engine.settings import LibrarySettings
from tui.commands.report import document, json_option, narrate, table

_folder = click.Path(path_type=Path)


@click.command()
@click.argument("url", required=False)
@click.option("--originals", type=_folder, help="PhotoPrism's originals folder, as seen from this machine.")
@click.option("--sidecar", type=_folder, help="PhotoPrism's sidecar folder, as seen from this machine.")
@click.option("--import", "import_folder", type=_folder, help="PhotoPrism's import folder, as seen from this machine.")
@click.option("--private/--no-private", default=None, help="Whether private photos may be used.")
@click.option("--check", is_flag=True, help="Only check; save nothing.")
@click.option("--save-password", is_flag=True, help="Keep the password in the keyring.")
@json_option
@click.pass_obj
def connect(
    folder: Path,
    url: str | None,
    originals: Path | None,
    sidecar: Path | None,
    import_folder: Path | None,
    private: bool | None,
    check: bool,
    save_password: bool,
    as_json: bool,
) -> None:
    """Say where the photos are: PhotoPrism's database and its folders.

    URL is mysql://user@host:3306/photoprism or sqlite:///…/index.db. Everything is checked first and saved into
    limner.toml only when it works. The password comes from LIMNER_DB_PASSWORD, the keyring or a prompt.
    """
    project = _project(folder, needed=not (check and url))
    settings = project.settings.library if project else LibrarySettings()
    given = {"originals": originals, "sidecar": sidecar, "import_folder": import_folder}
    wanted: dict[str, Any] = {name: path.expanduser().resolve() for name, path in given.items() if path}
    if url is not None:
        wanted["url"] = parse_address(url).url
    if private is not None:
        wanted["private"] = private
    settings = settings.model_copy(update=wanted)
    base = project.root if project else Path()
    password = typed = None
    if settings.url:
        password, typed = ask_password(parse_address(settings.url, base))
    with open_library(settings, password, base) as library:
        description, people = library.describe(), library.people()
        roots = check_roots(library.files(), library.roots)
        address = library.address
    saved = project is not None and not check
    if project is not None and saved:
        project.change({f"library.{name}": value for name, value in wanted.items()})
    if save_password and password:
        _keep(address, password)
    _report(description, people, roots, saved, as_json)
    if typed and not save_password:
        narrate("The password is not kept: set LIMNER_DB_PASSWORD, or connect again with --save-password.")
    if saved:
        narrate("Saved. Next: limner people, then limner faces scan --person NAME")


@click.command()
@json_option
@click.pass_obj
def people(folder: Path, as_json: bool) -> None:
    """The people that the library knows, with their faces."""
    with opened_library(open_project(folder)) as library:
        found = library.people()
    if as_json:
        document({"people": [_person(person) for person in found]})
        return
    if not found:
        narrate("PhotoPrism has no named faces yet: name some under People there.")
        return
    rows = [(each.name, each.faces, each.confirmed, _years(each), each.id) for each in found]
    table(("name", "faces", "confirmed", "years", "id"), rows)


def opened_library(project: Project) -> PhotoPrismLibrary:
    """The project's library, open; asks for the password where one is needed and a person is there to type it."""
    settings = project.settings.library
    password = ask_password(parse_address(settings.url, project.root))[0] if settings.url else None
    return open_library(settings, password, project.root)


def ask_password(address: LibraryAddress) -> tuple[str | None, str | None]:
    """The password, and once more where it had to be typed; None where nobody is there to type one."""
    password = passwords.find_password(address)
    if password is not None or address.kind is ServerKind.SQLITE or not sys.stdin.isatty():
        return password, None
    question = f"Password of {address.user} at {address.where}"
    typed: str = click.prompt(question, hide_input=True, default="", show_default=False, err=True)
    if not typed:
        raise WrongPassword("no password was typed", "type it, or set LIMNER_DB_PASSWORD")
    return typed, typed


def _project(folder: Path, needed: bool) -> Project | None:
    try:
        return open_project(folder)
    except LimnerError:
        if needed:
            raise
        return None


def _keep(address: LibraryAddress, password: str) -> None:
    """Into the keyring; a machine without one is told, and is no reason to undo what works."""
    try:
        passwords.save_password(address, password)
    except LimnerError as error:
        narrate(f"limner: {error.one_line()}")
    else:
        narrate("The password is in your keyring.")


def _report(description: Description, found: list[Person], roots: list[RootCheck], saved: bool, as_json: bool) -> None:
    if not as_json:
        click.echo(description.line)
        for check in roots:
            click.echo(check.line)
        click.echo("1 person" if len(found) == 1 else f"{len(found)} people")
        return
    document(
        {
            "server": description.server,
            "version": description.version,
            "photos": description.photos,
            "faces": description.faces,
            "people": [_person(person) for person in found],
            "roots": [
                {
                    "root": check.root.word,
                    "folder": str(check.folder) if check.folder else None,
                    "opened": check.opened,
                    "sampled": check.sampled,
                    "files": check.files,
                }
                for check in roots
            ],
            "saved": saved,
        }
    )


def _person(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "faces": person.faces,
        "confirmed": person.confirmed,
        "first_year": person.first_year,
        "last_year": person.last_year,
    }


def _years(person: Person) -> str:
    if person.first_year is None:
        return ""
    if person.first_year == person.last_year:
        return str(person.first_year)
    return f"{person.first_year}–{person.last_year}"
