"""Which function does which kind of work.

They are named as text, so that knowing about a kind of work never imports what the work needs.
"""

from __future__ import annotations

from engine.jobs.folder import JobKind

WORK: dict[JobKind, str] = {
    JobKind.SCAN: "engine.faces.scan_job:work",
    JobKind.MEASURE: "engine.faces.measure_job:work",
    JobKind.CAPTION: "engine.dataset.captions.job:work",
    JobKind.TRAIN: "engine.training.job:work",
    JobKind.TRAIN_REMOTE: "engine.remote.follower:work",
    JobKind.TRAIN_RENTED: "engine.rent.work:work",
    JobKind.PROBE: "engine.training.probe:work",
    JobKind.PAINT_REMOTE: "engine.remote.painter:work",
    JobKind.PAINT: "engine.pictures.painting.worker:work",
    JobKind.LIKENESS: "engine.pictures.likeness.job:work",
}
"""Each takes the job's ``engine.jobs.worker.Context``."""
