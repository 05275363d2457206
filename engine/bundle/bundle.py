"""Making bundles: of a project, to train it elsewhere; of runs, to bring them home."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.bundle import gallery_file
from engine.bundle.contents import About, BundleError, BundleKind, Member, as_json
from engine.bundle.gallery_file import packed_gallery
from engine.bundle.leaving_out import manifest_file, run_order, settings_file
from engine.bundle.packing import Tell, pack
from engine.dataset.files.manifest import NAME as MANIFEST
from engine.dataset.regularisation import NAME as REGULARISATION
from engine.dataset.regularisation import regularisation_folders
from engine.jobs.folder import JobFolder
from engine.jobs.follow import state
from engine.pictures.gallery.import_external import look_for_pictures
from engine.project import Project
from engine.storage.untrusted_files import parse_json

PROMPT_COLUMNS = ("id", "t", "text", "negative", "parent_id", "rating", "name", "tags", "mark", "made_by")

STATE = "state"
"""What a run goes on from; several times as large as its checkpoints, and of use only to go on."""

LIVING = ("lock", "requests")
"""What of a job's folder belongs to its living process."""


@dataclass(frozen=True)
class Bundled:
    """A bundle that was made."""

    path: Path
    about: About
    left_out: tuple[str, ...] = ()
    """Settings that are this machine's alone, and did not travel."""
    alive: tuple[str, ...] = ()
    """Runs that are under way, and were left where they are."""
    runs: tuple[str, ...] = ()


def bundle_project(project: Project, path: Path, with_library: bool = False, tell: Tell = lambda *_: None) -> Bundled:
    """Makes a bundle of settings, dataset, captions, regularisation images and prompts.

    Args:
        project: the project.
        path: the file that is to be.
        with_library: whether the library's address and folders travel, too. A password never does.
        tell: how far it is.

    Raises:
        BundleError: there is no dataset, or the file can't be written.
        ProjectError: the settings are broken.
    """
    left = settings_file(project, with_library)
    images = list(_files(project.dataset, "dataset"))
    if not images:
        raise BundleError("there is no dataset to bundle", "build it first: limner dataset build")
    prompts = [_without_server(each) for each in _prompts(project)] if not with_library else _prompts(project)
    members = [Member("limner.toml", left.data), Member("prompts.json", as_json(prompts))]
    for member in images:
        if member.name == f"dataset/{MANIFEST}" and isinstance(member.source, Path):
            member = Member(member.name, manifest_file(member.source, with_library))
        members.append(member)
    for folder in regularisation_folders(project):
        members += _files(folder.path, f"{REGULARISATION}/{folder.path.name}")
    about = pack(path, BundleKind.PROJECT, members, project.settings.person.trigger, tell)
    return Bundled(path, about, left.keys)


def bundle_runs(
    project: Project,
    path: Path,
    names: Sequence[str] = (),
    with_state: bool = False,
    tell: Tell = lambda *_: None,
) -> Bundled:
    """Makes a bundle of runs: their logs, checkpoints and samples.

    Args:
        project: the project.
        path: the file that is to be.
        names: which; none: all that are not under way.
        with_state: whether what a run goes on from travels, too.
        tell: how far it is.

    Raises:
        BundleError: there is no run that is not under way, or the file can't be written.
        ProjectError: no run is called so.
    """
    wanted = [project.run(name) for name in names] or project.run_folders()
    alive = tuple(job.id for job in wanted if is_under_way(job))
    runs = [job for job in wanted if job.id not in alive]
    if not runs:
        what = f"{', '.join(alive)} is under way" if alive else "this project has no runs"
        fix = "wait until it ends, or end it with: limner stop" if alive else "start one with: limner train"
        raise BundleError(what, fix)
    members = [member for job in runs for member in _of_run(job, with_state)]
    about = pack(path, BundleKind.RUNS, members, project.settings.person.trigger, tell)
    return Bundled(path, about, alive=alive, runs=tuple(job.id for job in runs))


def bundle_pictures(project: Project, path: Path, tell: Tell = lambda *_: None) -> Bundled:
    """Makes a bundle of the painted pictures, with stars, favourites, votes and grids.

    Args:
        project: the project.
        path: the file that is to be.
        tell: how far it is.

    Raises:
        BundleError: there are no pictures, or the file can't be written.
    """
    with project.store() as store:
        look_for_pictures(project, store)
        gallery = packed_gallery(store)
    files = list(_files(project.pictures, "pictures"))
    if not files:
        raise BundleError("there are no pictures to bundle", "paint some: limner paint PROMPT")
    members = [Member(gallery_file.NAME, as_json(gallery.model_dump())), *files]
    return Bundled(path, pack(path, BundleKind.PICTURES, members, project.settings.person.trigger, tell))


def is_under_way(job: JobFolder) -> bool:
    """Whether a run's files may still change; a process that has told its end is only leaving."""
    return job.alive() and not state(job).state.ended


def _of_run(job: JobFolder, with_state: bool) -> Iterator[Member]:
    skipped = (*LIVING, *(() if with_state else (STATE,)))
    for member in _files(job.path, f"runs/{job.id}"):
        parts = member.name.split("/")[2:]
        if parts == ["job.json"]:
            yield Member(member.name, run_order(job, with_library=False))
        elif parts[0] not in skipped:
            yield member


def _files(folder: Path, name: str) -> Iterator[Member]:
    """The files below a folder by name; hidden ones are unfinished, and a folder that is a link may lead round."""
    if not folder.is_dir():
        return
    for each in sorted(folder.iterdir()):
        if each.name.startswith(".") or (each.is_dir() and each.is_symlink()):
            continue
        if each.is_dir():
            yield from _files(each, f"{name}/{each.name}")
        elif each.is_file():
            yield Member(f"{name}/{each.name}", each)


def _prompts(project: Project) -> list[dict[str, object]]:
    with project.store() as store:
        rows = store.rows(f"SELECT {', '.join(PROMPT_COLUMNS)} FROM prompts ORDER BY id")
    return [dict(row) for row in rows]


def _without_server(prompt: dict[str, object]) -> dict[str, object]:
    """A prompt that does not tell where the language model is that wrote it."""
    try:
        made_by = parse_json(str(prompt["made_by"]))
    except ValueError:
        return prompt
    if not isinstance(made_by, dict):
        return prompt
    return {**prompt, "made_by": json.dumps({key: value for key, value in made_by.items() if key != "server"})}
