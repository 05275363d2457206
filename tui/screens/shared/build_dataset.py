"""Building the dataset, as both the Faces and the Dataset screen start it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.counting import many
from tui.actions import Scope

if TYPE_CHECKING:
    from engine.dataset.build import BuildReport
    from tui.screens.shared.base import WorkScreen


def build_dataset(screen: WorkScreen) -> None:
    """Brings the training images in line with the kept faces in a thread, then shows them on the Dataset screen."""
    project = screen.project

    def work() -> BuildReport:
        from engine.dataset.build import build

        return build(project)

    def built(report: BuildReport) -> None:
        told = f"{many(len(report.images), 'image')}: {report.cut:,} cut now, {report.removed:,} taken out"
        if report.upscaled:
            told += f", {report.upscaled:,} upscaled"
        if report.skipped:
            told += f"; {many(len(report.skipped), 'face')} skipped: {report.skipped[0][1]}"
        if report.by_hand:
            told += f"; changed by hand, left unchanged: {', '.join(report.by_hand)}"
        if report.gone:
            told += f"; {many(report.gone, 'image')} of faces that are gone from the library"
        screen.say(told)
        if screen.is_current and screen.SCOPE is not Scope.DATASET:
            screen.app.switch_mode(Scope.DATASET.value)
        else:
            screen.shown()

    screen.say("Building the images …")
    screen.run_latest("build", work, built)
