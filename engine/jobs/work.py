"""Which function does which kind of work.

They are named as text, so that knowing about a kind of work never imports what the work needs.
"""

from __future__ import annotations

from engine.jobs.folder import JobKind

WORK: dict[JobKind, str] = {
    JobKind.SCAN: "engine.faces.scanning:work",
    JobKind.MEASURE: "engine.faces.measuring:work",
    JobKind.CAPTION: "engine.dataset.captioner:work",
    JobKind.TRAIN: "engine.training.work:work",
    JobKind.PROBE: "engine.training.probe:work",
    JobKind.PAINT: "engine.pictures.painter:work",
    JobKind.LIKENESS: "engine.pictures.likeness:work",
}
"""Each takes the job's ``engine.jobs.worker.Context``."""
