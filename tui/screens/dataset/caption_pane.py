"""The pane with the caption under the cursor: an editor whose every key is saved."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical

from engine.errors import LimnerError
from tui.screens.dataset.editor import CaptionArea
from tui.screens.dataset.text import token_words
from tui.screens.shared.base import explained

if TYPE_CHECKING:
    from engine.dataset.captions.journal import CaptionJournal
    from engine.dataset.files.layout import TrainingImage
    from engine.prompts.tokenizer import Words


class CaptionPane(Vertical):
    """Edits the caption of one image. All that is typed about one image in a row is one action of the journal.

    Args:
        journal: the captions' journal; asked for when something is written.
        saved: gets the image with its new caption, before the next key is read.
        failed: gets the error of a caption that can't be saved, once and not with every key.
    """

    def __init__(
        self,
        journal: Callable[[], CaptionJournal],
        saved: Callable[[TrainingImage], None],
        failed: Callable[[LimnerError], None],
    ) -> None:
        super().__init__(id="caption-pane", classes="pane")
        self._journal, self._saved, self._failed = journal, saved, failed
        self._image: TrainingImage | None = None
        self._words: Words | None = None
        self._action: tuple[str, int] | None = None
        """The image that is being typed about, and the journal's action of it."""
        self._unsaved: tuple[TrainingImage, str] | None = None

    def compose(self) -> ComposeResult:
        """The editor."""
        yield CaptionArea(self._typed, id="caption")

    @property
    def area(self) -> CaptionArea:
        """The editor itself."""
        return self.query_one(CaptionArea)

    def show(self, image: TrainingImage | None, words: Words | None) -> None:
        """Shows an image's caption.

        Args:
            image: the image, or None for none.
            words: the base model's tokenizer, which counts; None where it is not there.
        """
        self._image, self._words = image, words
        text = image.caption if image is not None else ""
        if image is None or not self.area.has_focus or _one_line(self.area.text) != text:
            self.area.show(text)
        self._draw_title()

    def count_by(self, words: Words | None) -> None:
        """Counts tokens by another tokenizer."""
        self._words = words
        self._draw_title()

    def end_typing(self) -> None:
        """What is typed from now on is another action."""
        self._action = None

    def save_the_rest(self) -> None:
        """Tries once more, before it goes from the screen, what could not be saved while it was typed."""
        if self._unsaved is not None:
            rest, self._unsaved = self._unsaved, None
            self._save(*rest)
            self._unsaved = None

    def _typed(self) -> None:
        image, text = self._image, _one_line(self.area.text)
        if image is None or not self.area.has_focus or not text:
            return
        if text != image.caption:
            self._save(image, text)
        else:
            self._unsaved = None
        self._draw_title()

    def _save(self, image: TrainingImage, text: str) -> None:
        action = self._action[1] if self._action and self._action[0] == image.path.name else None
        try:
            made = self._journal().amend(action, image.path.name, text)
        except (LimnerError, OSError, sqlite3.Error) as error:
            if self._unsaved is None:
                self._failed(explained(error))
            # The title says so until it is saved.
            self._unsaved = image, text
            return
        self._unsaved = None
        self._action = (image.path.name, made)
        changed = replace(image, caption=text)
        if self._image is not None and self._image.path == image.path:
            self._image = changed
        self._saved(changed)

    def _draw_title(self) -> None:
        counted = self._words is not None and self._image is not None
        words = self._words if counted and self._image else None
        tokens = len(words.of(self._image.caption)) if words and self._image else None
        self.border_title = (
            f"{token_words(tokens, words.room if words else 0)}{'' if self._unsaved is None else ' · not saved'}"
        )


def _one_line(text: str) -> str:
    return " ".join(text.split())
