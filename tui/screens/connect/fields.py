"""What the Connect screen asks for, and a look into the library that it names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.counting import many
from engine.errors import LimnerError
from engine.settings import LibrarySettings

if TYPE_CHECKING:
    from engine.library.address import LibraryAddress
    from engine.library.base import Description
    from engine.library.kind import LibraryKind
    from engine.library.people import Person

FIELDS = ("address", "user", "password", "originals", "sidecar")
"""All that any kind of library asks for."""


@dataclass(frozen=True)
class Entered:
    """What stands in the fields."""

    address: str
    user: str
    password: str
    originals: str
    sidecar: str
    kind: LibraryKind | None = None
    """What keeps the photos; None: nobody said, the address tells it alone."""

    def settings(self, private: bool, base: Path | None, before: LibrarySettings | None = None) -> LibrarySettings:
        """As settings; what has no field stays as it was before. Raises LibraryError where the address is invalid."""
        fields: dict[str, object] = {"url": self._url(base, before), "private": private}
        asked = {field.name for field in self.kind.fields} if self.kind else {"originals", "sidecar"}
        for name in ("originals", "sidecar"):
            if name in asked:
                fields[name] = Path(getattr(self, name)) if getattr(self, name) else None
        return (before or LibrarySettings()).model_copy(update=fields)

    def _url(self, base: Path | None, before: LibrarySettings | None) -> str:
        """The address in its canonical spelling; the settings' own where nothing was changed: it may be relative."""
        from engine.library.address import parse_address

        address = parse_address(self.kind.spelled(self.address) if self.kind else self.address, base)
        if address.is_server and self.user:
            address = replace(address, user=self.user)
        if before is not None and before.url and parse_address(before.url, base) == address:
            return before.url
        return address.url


@dataclass(frozen=True)
class Checked:
    """What a look into the library told."""

    settings: LibrarySettings
    about: Description
    roots: tuple[tuple[bool | None, str], ...]
    """What was looked at, and whether it is well; None: well enough, and to be minded."""
    photos: LimnerError | None
    """Why the photos can't be opened; None: they can."""
    people: tuple[Person, ...]
    editable: bool
    """Whether its people are named and merged in Limner."""


def look(entered: Entered, private: bool, base: Path | None) -> Checked:
    """Opens the library, counts, lists the people and tries the folders.

    Raises:
        LibraryError: it can't be read.
        NotConfirmed: the address is the project's, not one that was typed, and nobody confirmed it.
    """
    from engine.errors import NotALibrary
    from engine.library.address import parse_address
    from engine.library.kind import EditablePeople
    from engine.library.paths import check_roots
    from engine.library.registry import connect

    before = _before(base)
    settings = entered.settings(private, base, before)
    typed = before is None or settings.url != before.url
    password = password_of(entered, settings, None if typed else base)
    address = parse_address(settings.url or "", base)
    try:
        library = connect(settings, password, base, typed=typed)
    except NotALibrary as error:
        raise _other_kind(address, entered.kind) or error from error
    with library:
        about, people = library.describe(), tuple(library.people())
        editable = isinstance(library, EditablePeople)
        photos: LimnerError | None = None
        roots: tuple[tuple[bool | None, str], ...] = ((True, about.may),) if about.may else ()
        try:
            roots += tuple((True, check.line) for check in check_roots(library.files(), library.roots))
        except LimnerError as error:
            photos, roots = error, (*roots, (False, error.one_line()))
        roots = (*roots, *((None, note) for note in about.notes))
        if about.unseen:
            unseen = f"{many(about.unseen, 'photo')} not searched for faces yet: save, and Limner does"
            roots = (*roots, (None, unseen))
    return Checked(settings, about, roots, photos, people, editable)


def kind_at(url: str, base: Path | None) -> LibraryKind | None:
    """What kind of library the settings name; None where the address is none that can be read."""
    from engine.library.address import parse_address
    from engine.library.registry import kind_of

    try:
        return kind_of(parse_address(url, base))
    except LimnerError:
        return None


def _other_kind(address: LibraryAddress, kind: LibraryKind | None) -> LimnerError | None:
    """What to say where another kind of server answers at a web address than was chosen; None where none does."""
    from engine.errors import NotALibrary
    from engine.library.address import ServerKind
    from engine.library.detection import detect
    from engine.library.registry import kind_of

    if kind is None or not address.site or address.kind not in (ServerKind.HTTP, ServerKind.IMMICH):
        return None
    try:
        there = kind_of(detect(replace(address, kind=ServerKind.HTTP)))
    except LimnerError as error:
        return error
    if there == kind:
        return None
    return NotALibrary(f"{there.title} answers at {address.where}, not {kind.title}", f"choose {there.chosen_by}")


def _before(base: Path | None) -> LibrarySettings | None:
    """What the project's settings say of the library, for what has no field here."""
    from engine.project import Project

    project = Project(base) if base is not None else None
    return project.settings.library if project is not None and project.settings_path.exists() else None


def password_of(entered: Entered, settings: LibrarySettings, root: Path | None) -> str | None:
    """The password that was typed, else the one that the environment or the keyring has.

    Args:
        entered: what stands in the fields.
        settings: the same as settings.
        root: the project's folder where the address is the project's; None where it was typed.

    Raises:
        NotConfirmed: nobody confirmed the project's address.
    """
    from engine.library.address import parse_address
    from engine.library.password import find_password

    return entered.password or find_password(parse_address(settings.url or ""), root)
