"""Commands about the library: ``connect`` and ``people``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from engine.counting import many
from engine.errors import LibraryError, LimnerError, WrongPassword
from engine.library import password as passwords
from engine.library.address import LibraryAddress, parse_address
from engine.library.base import Description, Library
from engine.library.detection import typed_address
from engine.library.folder.walk import no_photos
from engine.library.kind import EditablePeople
from engine.library.paths import RootCheck, check_roots
from engine.library.people import Person
from engine.library.registry import check_library, kind_of
from engine.library.registry import connect as open_library
from engine.project import Project, open_project
from engine.security.trust import NotConfirmed, confirm
from engine.settings import LibrarySettings
from engine.storage.project_paths import expand_home
from tui.cli.report import document, echo, json_option, narrate, say, table
from tui.text.sanitize import sanitize

_folder = click.Path(path_type=Path)


@click.command()
@click.argument("url", required=False)
@click.option("--originals", type=_folder, help="PhotoPrism's originals folder, as seen from this machine.")
@click.option("--sidecar", type=_folder, help="PhotoPrism's sidecar folder, as seen from this machine.")
@click.option("--import", "import_folder", type=_folder, help="PhotoPrism's import folder, as seen from this machine.")
@click.option(
    "--mount",
    "mounted",
    metavar="PLACE=DIR",
    multiple=True,
    help="A folder mounted below originals: family=/mnt/nas/family; may be repeated.",
)
@click.option("--private/--no-private", default=None, help="Whether private (in Immich: archived) photos may be used.")
@click.option("--check", is_flag=True, help="Only check; save nothing.")
@click.option("--save-password", is_flag=True, help="Keep the password or API key in the keyring.")
@json_option
@click.pass_obj
def connect(
    folder: Path,
    url: str | None,
    originals: Path | None,
    sidecar: Path | None,
    import_folder: Path | None,
    mounted: tuple[str, ...],
    private: bool | None,
    check: bool,
    save_password: bool,
    as_json: bool,
) -> None:
    """Connect a photo library: PhotoPrism's database and folders, PhotoPrism or Immich over HTTPS, or a plain folder.

    URL is mysql://user@host:3306/photoprism or sqlite:///…/index.db with the folders of the photos; https://host of
    PhotoPrism or Immich, where photos are fetched as they are needed; or folder:///… for photos without an index, where
    Limner looks for faces itself and reads names that are written into the photos. Everything is checked first and
    saved into limner.toml only when it works. The password comes from LIMNER_DB_PASSWORD, Immich's API key from
    LIMNER_IMMICH_KEY; or from the keyring or a prompt.
    """
    project = _project(folder, needed=not (check and url))
    settings = project.settings.library if project else LibrarySettings()
    given = {"originals": originals, "sidecar": sidecar, "import_folder": import_folder}
    wanted: dict[str, Any] = {name: expand_home(path).resolve() for name, path in given.items() if path}
    if url is not None:
        wanted["url"] = typed_address(url).url
    if private is not None:
        wanted["private"] = private
    if mounted:
        wanted["mounts"] = _mounts(mounted)
    settings = LibrarySettings.model_validate({**settings.model_dump(), **wanted})
    base = project.root if project else Path()
    password = typed = None
    if settings.url:
        password, typed = ask_password(parse_address(settings.url, base), None if url else base)
    with open_library(settings, password, base, typed=url is not None) as library:
        description, people = library.describe(), library.people()
        roots = check_roots(library.files(), library.roots)
        address = library.address
    finds_faces = kind_of(address).finds_faces
    if finds_faces and not description.photos:
        raise no_photos(address.where)
    saved = project is not None and not check
    if project is not None and saved:
        project.change({f"library.{name}": _plain(getattr(settings, name)) for name in wanted})
    if project is not None and saved and finds_faces:
        # Told before anything else can fail: who reads an error next knows that the folder is connected all the same.
        narrate(f"Saved: the photos are in {address.where}.")
        _look_for_faces(project)
        with open_library(settings, None, base) as library:
            description, people = library.describe(), library.people()
            roots = check_roots(library.files(), library.roots)
    if save_password and password:
        _keep(address, password)
    _report(description, people, roots, saved, as_json)
    if typed and not save_password:
        kind = kind_of(address)
        what = (
            f"The {kind.secret_name} was not saved: set {kind.secret_variable}, or connect again with --save-password."
        )
        narrate(what)
    if saved:
        narrate("Saved. Next: limner people, then limner faces scan --person NAME")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def people(context: click.Context, as_json: bool) -> None:
    """List the library's people, with the number of their faces."""
    if context.invoked_subcommand is not None:
        return
    folder: Path = context.obj
    with opened_library(open_project(folder)) as library:
        found = library.people()
        kind = kind_of(library.address)
    if as_json:
        document({"people": [_person(person) for person in found]})
        return
    if not found:
        narrate(kind.nobody or f"{kind.title} has no people with faces yet.")
        return
    rows = [(each.name, each.faces, _confirmed(each), _years(each), each.id) for each in found]
    table(("name", "faces", "confirmed", "years", "id"), rows)


@people.command()
@click.argument("person")
@click.argument("name")
@json_option
@click.pass_obj
def rename(folder: Path, person: str, name: str, as_json: bool) -> None:
    """Name a person of a plain folder; the name is kept in the project."""
    project = open_project(folder)
    with _editable(project) as library:
        was, now = library.rename(person, name)
    _follow(project, {was.id}, was.id, now)
    if as_json:
        document({"person": {"id": was.id, "name": now}})
        return
    narrate(f"{was.name} is {now} now.")


@people.command()
@click.argument("person")
@click.argument("others", nargs=-1, required=True)
@json_option
@click.pass_obj
def merge(folder: Path, person: str, others: tuple[str, ...], as_json: bool) -> None:
    """Merge several people of a plain folder into the first one."""
    project = open_project(folder)
    with _editable(project) as library:
        into, rest = library.merge(person, others)
    _follow(project, {each.id for each in rest}, into.id, into.name)
    faces = into.faces + sum(each.faces for each in rest)
    if as_json:
        document({"person": {"id": into.id, "name": into.name, "faces": faces}, "merged": [each.id for each in rest]})
        return
    narrate(f'{into.name} has {many(faces, "face")} now. Import them with: limner faces scan --person "{into.name}"')


def opened_library(project: Project) -> Library:
    """The project's library, open; asks for the password where one is needed and a person is there to type it."""
    settings = project.settings.library
    address = parse_address(settings.url, project.root) if settings.url else None
    password = ask_password(address, project.root)[0] if address else None
    return open_library(settings, password, project.root)


def ask_password(address: LibraryAddress, root: Path | None) -> tuple[str | None, str | None]:
    """The password, and once more where it had to be typed; None where nobody is there to type one.

    Args:
        address: the library's.
        root: the folder of the project that names it; None: the user typed it just now.

    Raises:
        NotConfirmed: the project's address was never confirmed, and nobody is there who could, or did.
    """
    _ask_to_confirm(address, root)
    password = passwords.find_password(address, root)
    if password is not None or not address.is_server or not sys.stdin.isatty():
        return password, None
    kind = kind_of(address)
    whose = f"Password of {address.user} at" if address.user else f"{kind.asks_for[:1].upper()}{kind.asks_for[1:]} for"
    question = f"{whose} {address.where}"
    typed: str = click.prompt(question, hide_input=True, default="", show_default=False, err=True)
    if not typed:
        if kind.may_be_open:
            return None, None
        raise WrongPassword(f"no {kind.secret_name} was typed", f"type it, or set {kind.secret_variable}")
    return typed, typed


def _ask_to_confirm(address: LibraryAddress, root: Path | None) -> None:
    """Asks whether the server that a project's file names is the user's, where that was never said."""
    try:
        check_library(root, address)
    except NotConfirmed as error:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        secret = kind_of(address).secret_name
        question = f"This project names {address.url} as its library. Ask it, and give it your {secret}?"
        if not click.confirm(sanitize(question), err=True):
            raise
        confirm(error.root, error.address)


@contextmanager
def _editable(project: Project) -> Iterator[EditablePeople]:
    """The project's library, open, where its people are edited in Limner."""
    with opened_library(project) as library:
        if not isinstance(library, EditablePeople):
            writer = kind_of(library.address).title
            what = f"{writer} keeps these people, and Limner never writes to it"
            raise LibraryError(what, "name and merge them there")
        yield library


def _follow(project: Project, ids: set[str], uid: str, name: str) -> None:
    """The project is about whoever its person became."""
    if project.settings.person.uid in ids:
        project.change({"person.uid": uid, "person.name": name})


def _look_for_faces(project: Project) -> None:
    from engine.faces.scan import start_index
    from tui.cli.follow_job import follow_job

    narrate("Looking for faces; continues in the background if you leave.")
    follow_job(start_index(project), "scan")


def _mounts(given: tuple[str, ...]) -> dict[str, Path]:
    """Places below originals to folders, of ``PLACE=DIR``."""
    mounts: dict[str, Path] = {}
    for each in given:
        place, equals, path = each.partition("=")
        if not (place.strip("/") and equals and path):
            raise click.BadParameter(f"“{each}” is not PLACE=DIR", param_hint="--mount")
        mounts[place] = expand_home(path).resolve()
    try:
        return LibrarySettings(mounts=mounts).mounts
    except ValueError as error:
        raise click.BadParameter(
            "a place is a folder below originals, such as family/2019", param_hint="--mount"
        ) from error


def _plain(value: object) -> object:
    """As TOML can hold it."""
    return {place: str(path) for place, path in value.items()} if isinstance(value, dict) else value


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
        narrate(f"The {kind_of(address).secret_name} is in your keyring.")


def _report(description: Description, found: list[Person], roots: list[RootCheck], saved: bool, as_json: bool) -> None:
    if not as_json:
        say(description.line)
        if description.may:
            say(description.may)
        if description.unseen:
            echo(f"not searched for faces yet: {many(description.unseen, 'photo')}")
        for check in roots:
            say(check.line)
        echo(many(len(found), "person", "people"))
        for note in description.notes:
            narrate(f"Mind: {note}")
        return
    document(
        {
            "server": description.server,
            "version": description.version,
            "photos": description.photos,
            "faces": description.faces,
            "unseen": description.unseen,
            "notes": list(description.notes),
            "may": description.may,
            "people": [_person(person) for person in found],
            "roots": [
                {
                    "root": check.root.word,
                    "mount": check.mount,
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


def _confirmed(person: Person) -> int | str:
    return "–" if person.confirmed is None else person.confirmed


def _years(person: Person) -> str:
    if person.first_year is None:
        return ""
    if person.first_year == person.last_year:
        return str(person.first_year)
    return f"{person.first_year}–{person.last_year}"
