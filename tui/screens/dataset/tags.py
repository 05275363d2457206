"""Work on the tags of the whole set, as the Dataset screen does it: every change is looked at before it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.screens.dataset.dialogs import Preview
from tui.screens.shared.ask_text import AskText

if TYPE_CHECKING:
    from engine.dataset.captions.bulk_edits import Edit
    from engine.dataset.captions.journal import CaptionJournal
    from engine.dataset.files.layout import TrainingImage
    from tui.screens.shared.base import WorkScreen


class TagCommands:
    """Renames, removes and adds tags, and cleans captions.

    Args:
        screen: where it is asked.
        images: the images whose captions are changed: those that are shown.
        journal: the captions' journal; asked for when something is written.
    """

    def __init__(
        self, screen: WorkScreen, images: Callable[[], list[TrainingImage]], journal: Callable[[], CaptionJournal]
    ) -> None:
        self._screen, self._images, self._journal = screen, images, journal

    def rename(self, tag: str | None) -> None:
        """Asks for another name of a tag."""
        screen = self._screen
        if tag is None:
            screen.say("There is no tag to rename: {dataset.tags} goes to the tags.")
            return

        def named(new: str | None) -> None:
            from engine.dataset.captions.bulk_edits import renamed

            if new and new != tag:
                self._preview(lambda: renamed(self._images(), tag, new, screen.project.settings))

        screen.app.push_screen(AskText("Rename the tag to", f"{tag}, wherever it stands", tag), named)

    def remove(self, tag: str | None) -> None:
        """Removes a tag from every caption shown."""
        from engine.dataset.captions.bulk_edits import removed

        if tag is None:
            self._screen.say("There is no tag to remove: {dataset.tags} goes to the tags.")
            return
        self._preview(lambda: removed(self._images(), [tag], self._screen.project.settings))

    def add(self, where: str) -> None:
        """Asks for a tag that every caption shown is to have; ``where`` says which captions these are."""

        def named(tag: str | None) -> None:
            from engine.dataset.captions.bulk_edits import added

            if tag:
                self._preview(lambda: added(self._images(), tag, self._screen.project.settings))

        self._screen.app.push_screen(AskText("Add a tag", f"to {where} that lack it"), named)

    def clean(self) -> None:
        """Applies the clean-up rules to every caption shown."""
        from engine.dataset.captions.bulk_edits import cleaned

        self._preview(lambda: cleaned(self._images(), self._screen.project.settings))

    def _preview(self, make: Callable[[], Edit]) -> None:
        screen = self._screen
        edit = screen.try_show(make)
        if edit is None:
            return
        if not edit.steps:
            screen.say("Nothing would change.")
            return

        def answered(yes: bool | None) -> None:
            if yes and screen.try_show(lambda: self._journal().write(edit.captions, edit.label)) is not None:
                screen.say(f"Done: {edit.label}. {{dataset.undo}} undoes it.")
                screen.shown()

        screen.app.push_screen(Preview(edit), answered)
