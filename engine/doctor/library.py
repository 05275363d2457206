"""The photo library: whether it answers, and whether its photos are where the settings say. Read-only."""

from __future__ import annotations

from engine.doctor.check import Check, gigabytes
from engine.errors import LimnerError, RootsDoNotFit, WrongPassword
from engine.project import Project
from engine.settings import LibrarySettings


def library_checks(project: Project, settings: LibrarySettings) -> list[Check]:
    """The database by the project's address, and the folders."""
    if not settings.url:
        return [Check("library", False, "no library is connected yet", f"limner -C {project.root} connect URL")]
    from engine.library.address import parse_address
    from engine.library.password import find_password
    from engine.library.paths import check_roots
    from engine.library.registry import connect, kind_of
    from engine.library.web.originals import RemoteOriginals, fetched

    try:
        address = parse_address(settings.url, project.root)
        password = find_password(address, project.root)
        with connect(settings, password, project.root) as library:
            about = library.describe()
            answered = Check("library", True, about.line)
            try:
                roots = check_roots(library.files(), library.roots)
            except RootsDoNotFit as error:
                return [answered, Check("photos", False, error.what, error.fix)]
    except WrongPassword as error:
        variable = kind_of(address).secret_variable
        fix = f"read -rs {variable} && export {variable}" if password is None else error.fix
        return [Check("library", False, error.what, fix)]
    except LimnerError as error:
        return [Check("library", False, error.what, error.fix)]
    told = "; ".join(each.line for each in roots)
    if isinstance(library.roots, RemoteOriginals):
        told += f", {gigabytes(fetched(project.cache)[1])}; safe to delete, limner faces scan fetches them again"
    checks = [answered, Check("photos", True, told or "no photo with a face yet")]
    return [*checks, *(Check("connection", False, note, "see docs/remote.md") for note in about.notes)]
