"""All settings of the project as a form; what is written goes into ``limner.toml``, whose comments stay."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from textwrap import wrap

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from engine.errors import LimnerError, ProjectError
from engine.project import Project
from engine.settings import Settings, with_changes
from engine.settings.form import Entry, entries
from tui.actions import Scope
from tui.screens.shared.overlay import Overlay, overlay_bindings
from tui.widgets.ink import Ink, Line, content_of, cut, title_of
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine

KEY_CELLS = 38
"""The width of the settings' names."""

MEANING_LINES = 7
"""The room under the list."""

LEFT_OUT = "–"
"""Stands for a setting that is left out."""


def entry_line(entry: Entry, settings: Settings, width: int) -> Line:
    """A setting's row: its name, whether the file sets it, its value, and the default where that differs."""
    section, dot, name = entry.key.partition(".")
    cells = min(KEY_CELLS, width * 11 // 20)
    if len(entry.key) >= cells:
        # Where it is tight, what the section's settings have in common is said by those above.
        section, name = "…", name if len(name) < cells - 1 else f"{name[: cells - 3]}…"
        dot = ""
    gap = " " * max(1, cells - len(section + dot + name))
    by_hand, text = entry.by_hand(settings), entry.text(settings)
    mark = ("● ", Ink.ACTIVE) if by_hand else ("  ", Ink.PLAIN)
    line: Line = [mark, (section + dot, Ink.MUTED), (f"{name}{gap}", Ink.STRONG if by_hand else Ink.PLAIN)]
    line.append((text or LEFT_OUT, Ink.STRONG if by_hand else Ink.MUTED))
    if by_hand and entry.default and text != entry.default:
        line.append((f"  (default: {entry.default})", Ink.MUTED))
    return cut(line, width)


@dataclass
class Unused(Message):
    """Settings that mean nothing for the project's base model, and why, are known."""

    reasons: Mapping[str, str]


def meaning_lines(entry: Entry, width: int, error: LimnerError | None, unused: str | None = None) -> list[Line]:
    """What a setting means, what it may be, its default, and what is wrong with what was typed; ``unused``: why it
    means nothing here."""
    width = max(20, width)
    lines: list[Line] = [[(row, Ink.PLAIN)] for row in wrap(entry.meaning, width)]
    told = f"{entry.kind}; default: {entry.default}" if entry.default else f"{entry.kind}; not set by default"
    lines += [[(row, Ink.MUTED)] for row in wrap(told, width)]
    if error is None and unused is not None:
        no_use = wrap(f"! no effect here: {unused}", width, subsequent_indent="  ")
        return [*lines[: MEANING_LINES - len(no_use)], *([(row, Ink.ATTENTION)] for row in no_use)]
    if error is None:
        return lines
    why = (error.fix or error.what) if isinstance(error, ProjectError) else error.one_line()
    wrong = wrap(f"✗ {why.replace('valid tuple', 'valid list')}", width, subsequent_indent="  ")
    return [*lines[: MEANING_LINES - len(wrong)], *([(row, Ink.BAD)] for row in wrong)]


class SettingsScreen(Overlay[None]):
    """The list of all settings, under it what the one under the cursor means, and a line to write another value."""

    CSS_PATH = "screen.tcss"
    SCOPES = (Scope.SETTINGS,)
    BINDINGS = overlay_bindings(Scope.SETTINGS)
    AUTO_FOCUS = "Rows"

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project
        self._entries = entries()
        self._settings = Settings()
        self._error: LimnerError | None = None
        self._unused: Mapping[str, str] = {}

    def compose(self) -> ComposeResult:
        """The words looked for, the list, what it means, the value, the file."""
        with Vertical() as box:
            box.border_title = "settings"
            box.border_subtitle = self.keyed(
                "{settings.edit} edit · {settings.previous_choice} {settings.next_choice} choices · "
                "{settings.reset} reset · {settings.filter} filter · {settings.leave} close"
            )
            yield TextLine(placeholder="words in a name or description", id="words")
            yield Rows[Entry](self._line)
            yield Static(id="meaning")
            yield TextLine(id="value")
            yield Static(id="where")

    def on_mount(self) -> None:
        """Reads the file; where it is broken, that is told and nothing is shown to be changed."""
        where = f"in {self._project.settings_path}"
        self.query_one("#where", Static).update(content_of([(where, Ink.MUTED)]))
        try:
            self._settings = self._project.settings
        except LimnerError as error:
            self.dismiss(None)
            self.app.notify(error.one_line(), severity="error", timeout=8, markup=False)
            return
        self._filter()
        self._ask_base()

    def _ask_base(self) -> None:
        """Looks in a thread what means nothing for the base model: its folder is looked through."""
        settings = self._settings

        def look() -> None:
            from engine.models.usual_settings import family_in

            with suppress(LimnerError):
                self.post_message(Unused(family_in(settings).unused))

        self.run_worker(look, thread=True, exclusive=True, group="base", exit_on_error=False)

    @on(Unused)
    def _learned(self, event: Unused) -> None:
        self._unused = event.reasons
        self._explain()

    @property
    def rows(self) -> Rows[Entry]:
        """The list."""
        return self.query_one(Rows)

    def action_edit(self) -> None:
        """Opens the line for another value."""
        entry = self.rows.item
        if entry is None:
            return
        if entry.choices == ("true", "false") and entry.default:
            self.action_next_choice()
            return
        line = self.query_one("#value", TextLine)
        line.value = entry.text(self._settings)
        line.placeholder = "left out"
        line.display = True
        line.focus()
        line.cursor_position = len(line.value)

    def action_next_choice(self) -> None:
        """The next of a few choices is written."""
        self._choose(1)

    def action_previous_choice(self) -> None:
        """The one before is."""
        self._choose(-1)

    def action_reset(self) -> None:
        """Takes the setting out of the file."""
        entry = self.rows.item
        if entry is not None and entry.by_hand(self._settings):
            self._write(entry, "")

    def action_next_section(self) -> None:
        """First setting of the next section."""
        self._go_to_section(1)

    def action_previous_section(self) -> None:
        """First setting of the section before."""
        self._go_to_section(-1)

    def action_filter(self) -> None:
        """Opens the line for words."""
        words = self.query_one("#words", TextLine)
        words.display = True
        words.focus()

    def action_leave(self) -> None:
        """Closes; everything is written already."""
        self.dismiss(None)

    def leave_field(self, field: TextLine) -> None:
        """Esc leaves the value as it was, and the words too: all settings are there again."""
        if field.id == "words":
            field.value = ""
        field.display = False
        self._error = None
        self.rows.focus()
        self._explain()

    def on_resize(self) -> None:
        """Words wrap elsewhere."""
        self.call_after_refresh(self._explain)

    @on(TextLine.Changed, "#words")
    def _filter(self) -> None:
        words = self.query_one("#words", TextLine).value.casefold().split()
        before = self.rows.item
        fitting = [
            each for each in self._entries if all(word in f"{each.key} {each.meaning}".casefold() for word in words)
        ]
        self.rows.show(fitting, fitting.index(before) if before in fitting else 0)
        count = f"{len(fitting)} of {len(self._entries)}" if words else f"{len(fitting)}"
        self.query_one(Vertical).border_title = title_of(f"settings · {count}")

    @on(TextLine.Submitted, "#words")
    def _filtered(self, event: TextLine.Submitted) -> None:
        event.input.display = bool(event.value.strip())
        self.rows.focus()

    @on(TextLine.Changed, "#value")
    def _typed(self, event: TextLine.Changed) -> None:
        """What is typed is checked with every key."""
        entry = self.rows.item
        if entry is not None and event.input.display:
            self._error = self._wrong(entry, event.value)
            self._explain()

    @on(TextLine.Submitted, "#value")
    def _entered(self, event: TextLine.Submitted) -> None:
        entry = self.rows.item
        if entry is not None and self._write(entry, event.value):
            event.input.display = False
            self.rows.focus()

    @on(Rows.Moved)
    def _moved(self) -> None:
        self._error = None
        self._explain()

    @on(Rows.Chosen)
    def _clicked(self) -> None:
        self.action_edit()

    def _wrong(self, entry: Entry, text: str) -> LimnerError | None:
        """Why a value is invalid; None where it is valid."""
        value = entry.read(text)
        if value is None:
            return None
        try:
            with_changes(self._settings, {entry.key: value})
        except LimnerError as error:
            return error
        return None

    def _write(self, entry: Entry, text: str) -> bool:
        """Writes a value; an invalid one is reported, and the file stays unchanged."""
        try:
            self._settings = self._project.change({entry.key: entry.read(text)})
        except LimnerError as error:
            self._error = error
            self._explain()
            return False
        self._error = None
        self.rows.show(self.rows.items)
        self._explain()
        if entry.key == "base.model":
            self._ask_base()
        return True

    def _choose(self, by: int) -> None:
        entry = self.rows.item
        if entry is None or not entry.choices:
            return
        now = entry.text(self._settings)
        at = entry.choices.index(now) + by if now in entry.choices else 0 if by > 0 else -1
        self._write(entry, entry.choices[at % len(entry.choices)])

    def _go_to_section(self, by: int) -> None:
        sections = [each.key.partition(".")[0] for each in self.rows.items]
        if not sections:
            return
        names = list(dict.fromkeys(sections))
        self.rows.cursor = sections.index(names[(names.index(sections[self.rows.cursor]) + by) % len(names)])

    def _line(self, entry: Entry, width: int) -> Line:
        return entry_line(entry, self._settings, width)

    def _explain(self) -> None:
        entry, meaning = self.rows.item, self.query_one("#meaning", Static)
        width = meaning.content_size.width or 70
        unused = self._unused.get(entry.key) if entry is not None else None
        lines = meaning_lines(entry, width, self._error, unused) if entry is not None else []
        meaning.update(content_of(*lines))
