"""The screens, a folder each: ``screen.py``, what it is made of, its stylesheets."""

from __future__ import annotations

from tui.actions import Scope

SCREEN_CLASSES = {
    Scope.CONNECT: "tui.screens.connect.screen:ConnectScreen",
    Scope.FACES: "tui.screens.faces.screen:FacesScreen",
    Scope.DATASET: "tui.screens.dataset.screen:DatasetScreen",
    Scope.TRAINING: "tui.screens.training.screen:TrainingScreen",
    Scope.PROMPTS: "tui.screens.prompts.screen:PromptsScreen",
    Scope.PICTURES: "tui.screens.pictures.screen:PicturesScreen",
    Scope.PLOT: "tui.screens.grid.screen:GridScreen",
}
"""Which class a screen is. As text, so that a screen is imported only when somebody goes to it."""
