"""Work on the tags of the whole set, as the Dataset screen does it: every change is looked at before it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.screens.dataset.dialogs import Preview
from tui.screens.faces.dialogs import AskName

if TYPE_CHECKING:
    from engine.dataset.captions.bulk_edits import Edit
    from tui.screens.dataset.screen import DatasetScreen


def rename_tag(screen: DatasetScreen) -> None:
    """Asks for another name of the tag under the tags' cursor."""
    tag = screen.tag
    if tag is None:
        screen.say("There is no tag to rename: {dataset.tags} goes to the tags.")
        return

    def named(new: str | None) -> None:
        from engine.dataset.captions.bulk_edits import renamed

        if new and new != tag:
            _look(screen, lambda: renamed(screen.images, tag, new, screen.project.settings))

    screen.app.push_screen(AskName("Rename the tag to", f"{tag}, wherever it stands", tag), named)


def remove_tag(screen: DatasetScreen) -> None:
    """Takes the tag under the tags' cursor out of every caption shown."""
    tag = screen.tag
    if tag is None:
        screen.say("There is no tag to remove: {dataset.tags} goes to the tags.")
        return
    from engine.dataset.captions.bulk_edits import removed

    _look(screen, lambda: removed(screen.images, [tag], screen.project.settings))


def add_tag(screen: DatasetScreen) -> None:
    """Asks for a tag that every caption shown is to have."""

    def named(tag: str | None) -> None:
        from engine.dataset.captions.bulk_edits import added

        if tag:
            _look(screen, lambda: added(screen.images, tag, screen.project.settings))

    where = f"the captions with {screen.filter}" if screen.filter else "all captions"
    screen.app.push_screen(AskName("Add a tag", f"to {where} that lack it"), named)


def clean_captions(screen: DatasetScreen) -> None:
    """Uses the rules of cleaning on every caption shown."""
    from engine.dataset.captions.bulk_edits import cleaned

    _look(screen, lambda: cleaned(screen.images, screen.project.settings))


def _look(screen: DatasetScreen, make: Callable[[], Edit]) -> None:
    edit = screen.attempt(make)
    if edit is None:
        return
    if not edit.steps:
        screen.say("Nothing would change.")
        return

    def answered(yes: bool | None) -> None:
        if yes and screen.attempt(lambda: screen.journal.write(edit.captions, edit.label)) is not None:
            screen.say(f"Done: {edit.label}. {{dataset.undo}} takes it back.")
            screen.shown()

    screen.app.push_screen(Preview(edit), answered)
