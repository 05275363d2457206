"""Screen 3: what the model will learn from: the images, their captions, and the tags of the whole set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from engine.counting import many
from engine.errors import LimnerError
from engine.storage.database import Store
from tui.actions import Scope
from tui.app.session_state import Left
from tui.screens.dataset.caption_pane import CaptionPane
from tui.screens.dataset.captioning import Captioning
from tui.screens.dataset.dialogs import AskCaptioner, Missing
from tui.screens.dataset.tags import TagCommands
from tui.screens.dataset.text import (
    findings_line,
    image_facts,
    image_line,
    open_picture,
    picture_key,
    tag_line,
)
from tui.screens.shared.build_dataset import build_dataset
from tui.screens.shared.searchable import Seeking
from tui.theming.bindings import bindings_for
from tui.theming.keymap import keyed_line
from tui.widgets.ink import Ink, Line, content_of, key_line
from tui.widgets.portrait import Portrait, Subject
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from engine.dataset.captions.bulk_edits import TagCount
    from engine.dataset.captions.journal import CaptionJournal, Change
    from engine.dataset.files.layout import TrainingImage
    from engine.dataset.readiness import Finding
    from engine.prompts.tokenizer import Words

AHEAD = 2


@dataclass(frozen=True)
class Read:
    """What was read of the dataset."""

    images: list[TrainingImage]
    tags: list[TagCount]
    findings: list[Finding]
    checks: list[str]
    words: Words | None


class DatasetScreen(Seeking):
    """The training images and the set's tags at the left; the image under the cursor and its caption at the right."""

    SCOPE = Scope.DATASET
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings_for(Scope.DATASET)
    QUESTION = "Training images"
    AUTO_FOCUS = "#images"
    EMPTY = (
        [("The training images, one caption each.", Ink.PLAIN)],
        [("A caption names what differs; what is always there becomes the person.", Ink.MUTED)],
        [],
        [("No images have been built yet.", Ink.ATTENTION)],
        [],
        key_line("{dataset.build}", "builds them from the kept faces."),
        key_line("{app.faces}", "goes to Faces, to keep some."),
    )

    def __init__(self) -> None:
        super().__init__()
        self._read = Read([], [], [], [], None)
        self._was_read = False
        self._captioning = Captioning(self)
        self._store: Store | None = None
        self._tag_commands = TagCommands(self, lambda: self.images, lambda: self.journal)
        self.filter = ""
        """The tag that the images shown have; empty: all are shown."""

    def body(self) -> Iterable[Widget]:
        """What is missing; the images over the tags; the picture over the caption."""
        yield Static(id="findings")
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                with Vertical(id="list-pane", classes="pane"):
                    yield Rows[Any](image_line, id="images")
                with Vertical(id="tags-pane", classes="pane"):
                    yield Rows[Any](tag_line, id="tags")
            with Vertical(id="right"):
                with Vertical(id="picture-pane", classes="pane"):
                    yield Portrait(id="picture")
                    yield Static(id="facts")
                yield CaptionPane(lambda: self.journal, self._caption_saved, self.show_error)

    def shown(self) -> None:
        """Reads the folder anew: other tools may have changed it."""
        self.run_latest("read", partial(_read, self), self._take, self.could_not_read)
        self._captioning.find()

    def status(self) -> Line:
        """``24 images · 24 captioned · 1 upscaled · trigger ok``, what is missing set off."""
        line: Line = self._captioning.status()
        for number, check in enumerate(self._read.checks):
            wrong = "missing" in check or "not first" in check
            line += [(" · " if number else "", Ink.MUTED), (check, Ink.ATTENTION if wrong else Ink.MUTED)]
        return line

    @property
    def images(self) -> list[TrainingImage]:
        """The images that are shown: all, or those with the tag that is filtered by."""
        from engine.dataset.captions.bulk_edits import having

        if not self.filter:
            return self._read.images
        return having(self._read.images, self.filter, self.project.settings.person)

    @property
    def tag(self) -> str | None:
        """The tag under the tags' cursor."""
        count = self.query_one("#tags", Rows).item
        return count.tag if count is not None else None

    @property
    def rows(self) -> Rows[Any]:
        """The images' list."""
        return self.query_one("#images", Rows)

    @property
    def _caption(self) -> CaptionPane:
        return self.query_one(CaptionPane)

    @property
    def journal(self) -> CaptionJournal:
        """What was done to the captions. Raises ProjectError."""
        from engine.dataset.captions.journal import CaptionJournal
        from engine.dataset.files.layout import DatasetFolder

        if self._store is None:
            self._store = Store(self.project.root / "limner.db")
        return CaptionJournal(self._store, DatasetFolder(self.project))

    def save_state(self) -> Left:
        """Also the tag that images are shown of."""
        return {**super().save_state(), "tag": self.filter}

    def restore_state(self, left: Left) -> None:
        """Takes it up again; where no image has it, all are shown."""
        super().restore_state(left)
        tag = left.get("tag")
        self.filter = tag if isinstance(tag, str) else ""

    def on_unmount(self) -> None:
        """Lets the database go."""
        if self._store is not None:
            self._store.close()

    def focus_list(self) -> None:
        """The images; what was typed is saved already, and now counted."""
        self._caption.save_the_rest()
        self._caption.end_typing()
        self._show_image()
        self.set_focus(self.rows)
        self.shown()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without images there is only building them; stopping is there while captions are written."""
        if action == "stop":
            return self._captioning.running
        if action == "find" and not self._was_read and self.limner.project is not None:
            # The images are still being read; what is typed behind a slash must not be done to them.
            return super().check_action(action, parameters)
        return action == "build" or (bool(self._read.images) and super().check_action(action, parameters))

    def action_edit(self) -> None:
        """Into the caption; on a tag: the images that have it."""
        if self.focused is self.query_one("#tags"):
            self.action_filter()
        elif self.rows.item is not None:
            # At once, so that what is typed right after the key goes there.
            self.set_focus(self._caption.area)

    def action_build(self) -> None:
        """Builds the images from the kept faces."""
        build_dataset(self)

    def action_captions(self) -> None:
        """Asks who shall write captions, and starts the job."""
        from engine.dataset.captions.registry import captioners

        def chosen(answer: tuple[str, bool] | None) -> None:
            if answer is not None:
                self._captioning.start(*answer)

        def offered() -> list[tuple[str, str, str]]:
            settings = self.project.settings
            return [(each.name, each.writes, each.source(settings)) for each in captioners().values()]

        # A package whose captioner can't be loaded is told of, and the app stays.
        choices = self.try_show(offered)
        if choices is not None:
            self.app.push_screen(AskCaptioner(choices), chosen)

    def action_stop(self) -> None:
        """Stops the job that writes captions."""
        self._captioning.stop()

    def action_tags(self) -> None:
        """To the tags, and back."""
        tags = self.query_one("#tags", Rows)
        (self.rows if tags.has_focus else tags).focus()

    def action_filter(self) -> None:
        """Shows only the images with the tag under the cursor, or all again."""
        self.filter = "" if self.filter == (self.tag or "") else self.tag or ""
        self._show_list()

    def action_rename(self) -> None:
        """Renames the tag under the cursor."""
        self._tag_commands.rename(self.tag)

    def action_remove(self) -> None:
        """Removes the tag under the cursor."""
        self._tag_commands.remove(self.tag)

    def action_add(self) -> None:
        """Adds a tag."""
        self._tag_commands.add(f"the captions with {self.filter}" if self.filter else "all captions")

    def action_clean(self) -> None:
        """Cleans all captions by the rules."""
        self._tag_commands.clean()

    def action_rules(self) -> None:
        """Shows the rules of cleaning; each is switched by a key."""
        from tui.screens.dataset.cleanup_rules import CleanUpRules

        settings = self.try_show(lambda: self.project.settings)
        if settings is not None:
            self.app.push_screen(CleanUpRules(self.project, settings.captions))

    def action_undo(self) -> None:
        """Takes the last change back."""
        self._turn(lambda: self.journal.undo(), "Undid", "There is nothing to undo.")

    def action_redo(self) -> None:
        """Does it again."""
        self._turn(lambda: self.journal.redo(), "Redone", "There is nothing to redo.")

    def action_missing(self) -> None:
        """Lists what is missing, and goes to an image of it."""

        def chosen(name: str | None) -> None:
            if name is not None:
                self.filter = ""
                self._show_list()
                self.rows.cursor = next(
                    (at for at, image in enumerate(self._read.images) if image.path.stem == name), self.rows.cursor
                )

        if not self._read.findings:
            self.say("Ready to train: nothing is missing.")
            return
        self.app.push_screen(Missing(self._read.findings), chosen)

    def action_next(self) -> None:
        """The next image; a caption that is being edited is the next one's then."""
        self.rows.cursor += 1

    def action_previous(self) -> None:
        """The image before."""
        self.rows.cursor -= 1

    def action_view(self) -> None:
        """The image alone."""
        from tui.screens.shared.full_size import LargeScreen

        def step(by: int) -> None:
            self.rows.cursor += by

        def current() -> tuple[Subject | None, Line]:
            image = self.rows.item
            return (_subject(image.path), [(image.caption, Ink.PLAIN)]) if image is not None else (None, [])

        self.app.push_screen(LargeScreen(current, step))

    @on(Rows.Moved, "#images")
    def _moved(self) -> None:
        self._caption.save_the_rest()
        self._show_image()

    @on(Rows.Chosen, "#images")
    def _chosen(self) -> None:
        self.action_edit()

    def _caption_saved(self, changed: TrainingImage) -> None:
        images = [changed if each.path == changed.path else each for each in self._read.images]
        self._read = replace(self._read, images=images)
        for at, shown in enumerate(self.rows.items):
            if shown.path == changed.path:
                self.rows.items = [*self.rows.items[:at], changed, *self.rows.items[at + 1 :]]
                self.rows.redraw(at)
                break

    def _turn(self, turn: Callable[[], Change | None], done: str, nothing: str) -> None:
        try:
            change = turn()
        except LimnerError as error:
            self.show_error(error)
            return
        if change is None:
            self.say(nothing)
            return
        left = f"; {many(len(change.left), 'caption')} left, changed by others since" if change.left else ""
        self.say(f"{done}: {change.label} ({many(len(change.images), 'caption')}){left}")
        self.shown()

    def _take(self, read: Read) -> None:
        had = bool(self._read.images)
        changed = read.images != self._read.images
        self._read, self._was_read = read, True
        self.query_one("#findings", Static).update(
            content_of(keyed_line(findings_line(read.findings), self.limner.keys))
        )
        if read.tags != self.query_one("#tags", Rows).items:
            self.query_one("#tags", Rows).show(read.tags)
        if changed:
            self._show_list()
        else:
            self._caption.count_by(read.words)
        self.show_empty(None if read.images else self.EMPTY)
        if had != bool(read.images):
            self.keys_changed()
            # Not from a line that somebody types into already.
            if not isinstance(self.focused, TextLine):
                self.set_focus(self.rows)
        self.ask()

    def _show_list(self) -> None:
        """The images by the filter, and over the panes what they are."""
        if self.filter and not self.images:
            self.filter = ""
        shown = self.images
        pane, tags = self.query_one("#list-pane"), self.query_one("#tags-pane")
        pane.border_title = f"{len(shown)} with {self.filter}" if self.filter else many(len(shown), "image")
        tags.border_title = f"tags · {len(self._read.tags):,}"
        self.rows.show(shown)

    def _show_image(self) -> None:
        image = self.rows.item
        portrait, facts = self.query_one("#picture", Portrait), self.query_one("#facts", Static)
        self.query_one("#picture-pane").border_title = image.path.name if image else ""
        self._caption.show(image, self._read.words)
        if image is None:
            portrait.show(None)
            facts.update("")
            return
        after = self.rows.items[self.rows.cursor + 1 : self.rows.cursor + 1 + AHEAD]
        portrait.show(_subject(image.path), [_subject(other.path) for other in after])
        facts.update(content_of(image_facts(image)))


def _read(screen: DatasetScreen) -> Read:
    """In a thread: the folder, its tags, what is missing, and the base model's tokenizer."""
    from engine.dataset.captions.bulk_edits import tag_counts
    from engine.dataset.files.layout import DatasetFolder
    from engine.dataset.readiness import TokenCount, findings
    from engine.models.locate import find_base
    from engine.prompts.tokenizer import find_words

    project = screen.project
    settings = project.settings
    folder = DatasetFolder(project)
    images = folder.images()
    try:
        words = find_words(find_base(settings.base))
    except LimnerError:
        # A base model that is not there is told where it is needed; here only its tokens can't be counted.
        words = None
    count = TokenCount(lambda text: len(words.of(text)), words.room) if words is not None else None
    missing = findings(images, folder.manifest(), settings, count) if images else []
    return Read(images, tag_counts(images, settings.person), missing, folder.checks(), words)


def _subject(path: Path) -> Subject:
    return Subject(picture_key(path), partial(open_picture, path))
