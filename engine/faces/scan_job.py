"""The job that scans: for a person in the library; in a plain folder it looks for faces first."""

from __future__ import annotations

from engine.faces.folder_scan import index
from engine.faces.proof import BoxProof
from engine.faces.scan import index_folder, scan
from engine.jobs.follow import wait
from engine.jobs.worker import Context
from engine.library.address import parse_address
from engine.library.password import find_password
from engine.library.registry import kind_of
from engine.project import Project


def work(context: Context) -> None:
    """Scans for the person that the order names; for nobody where it names none."""
    project = Project(context.project)
    url = project.settings.library.url
    address = parse_address(url, project.root) if url else None
    if address is not None and kind_of(address).finds_faces:
        own = index_folder(project)
        if context.folder.path.resolve() != own.path.resolve() and own.alive():
            wait(own)
        index(project, context.emit, context.should_stop)
    person = context.args["person"]
    if person is not None and not context.should_stop():
        password = find_password(address, project.root) if address else None
        scan(project, str(person), password, context.emit, context.should_stop, BoxProof().box_of)
