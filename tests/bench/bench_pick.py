"""The automatic pick against the rule that failed: square, wider than 512 pixels, the widest first.

On the drawn library, where it is known which faces are somebody else, blurred, cut off or the same moment again.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from engine.demo.library import SEED, draw_library
from engine.demo.shots import Shot, plan_shots
from engine.faces.crop import crop_of
from engine.faces.framing import cut_of
from engine.faces.measure_job import measure
from engine.faces.photo.geometry import Framing
from engine.faces.records.decisions import Face, Ledger
from engine.faces.scan import scan
from engine.faces.selection.pick import pick
from engine.project import create_project
from tests.bench.result import Result, median_seconds

COUNT = 24
WIDE = 512


def results() -> Iterator[Result]:
    """What each lets in, and how varied it is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = draw_library(folder / "library", seed=SEED)
        project = create_project(folder / "james", trigger="jx265", class_word="man")
        folders = {"library.originals": library.originals, "library.sidecar": library.sidecar}
        project.change({"library.url": library.url, **folders})
        scan(project, "James")
        measure(project)
        with project.store() as store:
            faces = Ledger(store).faces()
        pace = median_seconds(lambda: measure(project, again=True), 3)
        yield Result("faces measured and compared", len(faces) / pace, "faces/s")
    shots = {shot.path.as_posix(): shot for shot in plan_shots(SEED)}
    picked = pick(faces, COUNT)
    ours = [each.face for each in picked]
    theirs = rule_that_failed(faces)
    for what, count in FAULTS.items():
        yield _fewer(f"picked: {what}", count(ours, shots), count(theirs, shots))
    for what, variety in VARIETY.items():
        yield _more(f"picked: {what}", variety(ours), variety(theirs))
    framings = Counter(each.framing for each in picked)
    failed = Counter(cut_of(face).framing for face in theirs)
    for framing, wanted in ((Framing.CLOSE, 12), (Framing.HALF, 6), (Framing.FULL, 6)):
        yield Result(
            f"picked: {framing} of {wanted} wanted",
            framings[framing],
            "faces",
            f"the rule that failed: {failed[framing]}",
        )


def rule_that_failed(faces: Sequence[Face]) -> list[Face]:
    """Square crops wider than 512 pixels, the widest first."""
    crops = {face.id: crop_of(face, Framing.CLOSE) for face in faces}
    sides = {number: crop.side for number, crop in crops.items() if crop is not None}
    wide = [face for face in faces if sides.get(face.id, 0) > WIDE]
    return sorted(wide, key=lambda face: -sides[face.id])[:COUNT]


def truth(face: Face, shots: dict[str, Shot]) -> Shot:
    """The plan of the photo that a face is on."""
    name = face.file_name
    return shots[name.removesuffix(".jpg") if ".heic" in name else name]


def same_moment_again(faces: Sequence[Face], shots: dict[str, Shot]) -> int:
    """Faces that show a moment that another one shows."""
    return len(faces) - len({truth(face, shots).seed for face in faces})


FAULTS = {
    "somebody else": lambda faces, shots: sum(truth(face, shots).mistaken_for is not None for face in faces),
    "blurred": lambda faces, shots: sum(truth(face, shots).blurred for face in faces),
    "cut off by the edge": lambda faces, shots: sum(truth(face, shots).cut_off for face in faces),
    "the same moment again": same_moment_again,
}

VARIETY: dict[str, Callable[[list[Face]], int]] = {
    "days": lambda faces: len({(face.taken_at or "")[:10] for face in faces}),
    "years": lambda faces: len({(face.taken_at or "")[:4] for face in faces}),
}


def _fewer(name: str, ours: int, theirs: int) -> Result:
    ratio = theirs / ours if ours else None
    return Result(name, ours, "faces", f"the rule that failed: {theirs}", ratio, "none let in" if not ours else "")


def _more(name: str, ours: int, theirs: int) -> Result:
    return Result(name, ours, "", f"the rule that failed: {theirs}", ours / max(1, theirs))
