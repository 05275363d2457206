"""Unpacking bundles: a project into a folder of its own, runs and pictures into the project that they belong to."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.bundle.bundle import is_under_way
from engine.bundle.contents import BundleError, BundleKind, no_bundle
from engine.bundle.leaving_out import settings_file
from engine.bundle.opening import about_bundle, staged
from engine.bundle.packing import Tell
from engine.bundle.pictures import PicturesBroughtHome, bring_pictures_home
from engine.bundle.prompts import take_prompts
from engine.errors import LimnerError
from engine.jobs.folder import JobFolder, Order
from engine.project import Project
from engine.settings import read_settings
from engine.storage.atomic_files import write_text
from engine.storage.project_paths import SETTINGS_NAME
from engine.storage.untrusted_files import parse_toml, read_text

LOG = "events.jsonl"


class Merged(StrEnum):
    """What became of a run that came home."""

    NEW = "new"
    UPDATED = "updated"
    """It was here up to some point, and has gone on since."""
    KNOWN = "here already"
    BESIDE = "beside another of that name"
    LEFT = "left out"
    """It is no whole run, or it can't be brought up to date now; the others come home all the same."""


@dataclass(frozen=True)
class RunBroughtHome:
    """A run of a bundle, and under which name it lies here now."""

    id: str
    name: str
    how: Merged
    why: str = ""
    """Why it was left out."""


@dataclass(frozen=True)
class Unbundled:
    """What came of a bundle."""

    project: Project
    kind: BundleKind
    files: int
    runs: tuple[RunBroughtHome, ...] = ()
    pictures: PicturesBroughtHome | None = None
    set_aside: tuple[str, ...] = ()
    """Settings that would have made Limner go somewhere, as ``section.key = value``; the project has none of them."""


def unbundle(path: Path, folder: Path, tell: Tell = lambda *_: None, with_addresses: bool = False) -> Unbundled:
    """Opens a bundle: that of a project makes the project ``folder``; runs and pictures go into the project ``folder``.

    Nothing that is there is overwritten. Killed in between, it can be done again.

    Args:
        path: the bundle.
        folder: of the project.
        tell: takes bytes done and bytes in all.
        with_addresses: whether servers and paths that the bundle's settings name are taken over. Whoever made it would
            else say where this machine's passwords go.

    Raises:
        BundleError: it is no bundle, damaged or hostile; there is a project already, or none for its runs or pictures;
            none of its runs could be brought home.
    """
    about = about_bundle(path)
    project = Project(folder.resolve())
    if about.kind is BundleKind.PROJECT:
        return _new_project(path, project, tell, with_addresses)
    if not project.settings_path.is_file():
        what = f"{path} holds {about.kind.value}, and {folder} is not a project"
        raise BundleError(what, "give that project's folder")
    stage = project.root / ".unbundling"
    with staged(path, stage, tell) as about:
        if about.kind is BundleKind.PICTURES:
            pictures = bring_pictures_home(project, stage)
            return Unbundled(project, BundleKind.PICTURES, about.files, pictures=pictures)
        runs = tuple(_home_or_left(project, each) for each in sorted((stage / "runs").iterdir()))
    if runs and all(each.how is Merged.LEFT for each in runs):
        raise BundleError("; ".join(each.why for each in runs), "nothing was changed")
    return Unbundled(project, BundleKind.RUNS, about.files, runs)


def _new_project(path: Path, project: Project, tell: Tell, with_addresses: bool) -> Unbundled:
    root = project.root
    if project.settings_path.exists():
        raise BundleError(
            f"{root} is a project already",
            "choose another folder; runs from both can be unbundled into the same project",
        )
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise BundleError(f"{root} is not empty", "choose a folder that is empty or not there yet")
    stage = root.with_name(f".{root.name}.unbundling")
    with staged(path, stage, tell) as about:
        if not (stage / SETTINGS_NAME).is_file():
            raise no_bundle()
        try:
            read_settings(stage / SETTINGS_NAME)
        except LimnerError as error:
            raise BundleError(error.what, error.fix) from error
        set_aside = () if with_addresses else _set_aside(Project(stage))
        take_prompts(Project(stage), stage / "prompts.json")
        (stage / "prompts.json").unlink()
        stage.rename(root)
    return Unbundled(project, BundleKind.PROJECT, about.files, set_aside=set_aside)


def _set_aside(project: Project) -> tuple[str, ...]:
    """Takes all addresses and paths out of the settings; returns what was taken out."""
    plain = parse_toml(read_text(project.settings_path))
    left = settings_file(project, with_library=False)
    write_text(project.settings_path, left.data.decode("utf-8"))
    library = [f"library.{key}" for key in plain.get("library", {})]
    values = {each: plain[each.split(".")[0]][each.split(".")[1]] for each in (*library, *left.keys)}
    return tuple(f"{key} = {value!r}" for key, value in values.items())


def _home_or_left(project: Project, incoming: Path) -> RunBroughtHome:
    """Merges one run. One that can't be is no reason to lose the others."""
    try:
        return _bring_home(project, incoming)
    except LimnerError as error:
        why = f"{error.what} ({error.fix})" if error.fix else error.what
        return RunBroughtHome(incoming.name, incoming.name, Merged.LEFT, why)


def _bring_home(project: Project, incoming: Path) -> RunBroughtHome:
    """Merges one run: the one of that name is it only where one log is the beginning of the other."""
    run, number = incoming.name, 1
    _belongs_to(project, incoming)
    while True:
        name = run if number == 1 else f"{run}-{number}"
        here = project.runs / name
        if not here.exists():
            project.runs.mkdir(exist_ok=True)
            incoming.rename(here)
            return RunBroughtHome(run, name, Merged.NEW if number == 1 else Merged.BESIDE)
        theirs, ours = incoming / LOG, here / LOG
        if _begins(ours, theirs):
            longer = theirs.stat().st_size != ours.stat().st_size
            return RunBroughtHome(run, name, _bring_up_to_date(JobFolder(here), incoming, longer))
        if _begins(theirs, ours):
            return RunBroughtHome(run, name, Merged.KNOWN)
        number += 1


def _bring_up_to_date(job: JobFolder, incoming: Path, longer: bool) -> Merged:
    """Moves over what is missing or has changed, the log last: what it tells of is there then, wherever this is
    killed."""
    if longer and is_under_way(job):
        raise BundleError(f"{job.id} is still running here, and the bundle has more of it", "wait until it ends")
    moved = False
    files = sorted(each for each in incoming.rglob("*") if each.is_file())
    for each in sorted(files, key=lambda file: file.name == LOG):
        target = job.path / each.relative_to(incoming)
        if target.exists() and (not longer or filecmp.cmp(each, target, shallow=False)):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(each, target)
        moved = True
    return Merged.UPDATED if moved else Merged.KNOWN


def _belongs_to(project: Project, incoming: Path) -> None:
    """The run's order names this project from now on."""
    job = JobFolder(incoming)
    order = job.read_order()
    job.write_order(Order(order.kind, project.root, order.args))


def _begins(one: Path, other: Path) -> bool:
    """Whether one file is the beginning of the other, or all of it; not where it is empty or not there."""
    try:
        with one.open("rb") as first, other.open("rb") as second:
            told = False
            while chunk := first.read(1 << 20):
                if chunk != second.read(len(chunk)):
                    return False
                told = True
            return told
    except FileNotFoundError:
        return False


def names_of(runs: Sequence[RunBroughtHome]) -> list[str]:
    """A line for each run."""
    told = []
    for each in runs:
        beside = f", as {each.name}" if each.name != each.id else ""
        told.append(f"{each.id}: {each.how}{beside}{f': {each.why}' if each.why else ''}")
    return told
