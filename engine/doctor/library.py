"""The photo library: whether it answers, and whether its photos are where the settings say. Read-only."""

from __future__ import annotations

from engine.doctor.check import Check
from engine.errors import LimnerError, RootsDoNotFit, WrongPassword
from engine.project import Project
from engine.settings import LibrarySettings


def library_checks(project: Project, settings: LibrarySettings) -> list[Check]:
    """The database by the project's address, and the folders."""
    if not settings.url:
        return [Check("library", False, "no library is connected yet", f"limner -C {project.root} connect URL")]
    from engine.library.address import parse_address
    from engine.library.password import ENVIRONMENT, find_password
    from engine.library.photoprism import connect
    from engine.library.roots import check_roots

    try:
        password = find_password(parse_address(settings.url, project.root))
        with connect(settings, password, project.root) as library:
            answered = Check("library", True, library.describe().line)
            try:
                roots = check_roots(library.files(), library.roots)
            except RootsDoNotFit as error:
                return [answered, Check("photos", False, error.what, error.fix)]
    except WrongPassword as error:
        fix = f"read -rs {ENVIRONMENT} && export {ENVIRONMENT}" if password is None else error.fix
        return [Check("library", False, error.what, fix)]
    except LimnerError as error:
        return [Check("library", False, error.what, error.fix)]
    return [answered, Check("photos", True, "; ".join(each.line for each in roots) or "no photo with a face yet")]
