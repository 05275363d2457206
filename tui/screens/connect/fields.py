"""What the Connect screen asks for, and a look into the library that it names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.counting import many
from engine.errors import LimnerError
from engine.settings import LibrarySettings

if TYPE_CHECKING:
    from engine.library.base import Description
    from engine.library.people import Person

FIELDS = (
    ("address", "mysql://host:3306/photoprism, index.db, https://…, folder:///…"),
    ("user", "photoprism"),
    ("password", "from the keyring, or LIMNER_DB_PASSWORD"),
    ("originals", "PhotoPrism's originals folder, as seen from this machine"),
    ("sidecar", "PhotoPrism's sidecar folder, where converted files are"),
)


@dataclass(frozen=True)
class Entered:
    """What stands in the fields."""

    address: str
    user: str
    password: str
    originals: str
    sidecar: str

    def settings(self, private: bool, base: Path | None, before: LibrarySettings | None = None) -> LibrarySettings:
        """As settings; what has no field stays as it was before. Raises LibraryError where the address is invalid."""
        from engine.library.address import parse_address

        address = parse_address(self.address, base)
        if address.is_server and self.user:
            address = replace(address, user=self.user)
        fields = {
            "url": address.url,
            "originals": Path(self.originals) if self.originals else None,
            "sidecar": Path(self.sidecar) if self.sidecar else None,
            "private": private,
        }
        return (before or LibrarySettings()).model_copy(update=fields)


@dataclass(frozen=True)
class Checked:
    """What a look into the library told."""

    settings: LibrarySettings
    about: Description
    roots: tuple[tuple[bool, str], ...]
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
    from engine.library.kind import EditablePeople
    from engine.library.paths import check_roots
    from engine.library.registry import connect

    before = _before(base)
    settings = entered.settings(private, base, before)
    typed = before is None or settings.url != before.url
    password = password_of(entered, settings, None if typed else base)
    with connect(settings, password, base, typed=typed) as library:
        about, people = library.describe(), tuple(library.people())
        editable = isinstance(library, EditablePeople)
        photos: LimnerError | None = None
        try:
            roots = tuple((True, check.line) for check in check_roots(library.files(), library.roots))
        except LimnerError as error:
            photos, roots = error, ((False, error.one_line()),)
        roots = (*roots, *((False, note) for note in about.notes))
        if about.unseen:
            unseen = f"{many(about.unseen, 'photo')} not searched for faces yet: save, and Limner does"
            roots = (*roots, (False, unseen))
    return Checked(settings, about, roots, photos, people, editable)


def finds_faces(entered: Entered, base: Path | None) -> bool:
    """Whether Limner looks for the faces in such a library itself, as in a plain folder."""
    from engine.library.address import parse_address
    from engine.library.registry import kind_of

    try:
        return kind_of(parse_address(entered.address, base)).finds_faces
    except LimnerError:
        return False


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
