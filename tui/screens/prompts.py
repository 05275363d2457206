"""Screen 5: what to paint: a prompt, its variations, and from them to the painter."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from tui.actions import Scope
from tui.bindings import bindings_for
from tui.screens.base import WorkScreen
from tui.widgets.ink import Ink, Line, content_of, cut
from tui.widgets.meter import many
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from engine.pictures.queue import PictureOrder
    from engine.project import Project

VARIATIONS = 12
"""How many variations one V makes."""

MOST_SEEDS = 64


class Mark(StrEnum):
    """What was said about a variation."""

    KEPT = "kept"
    DROPPED = "dropped"
    NONE = ""


MARKS: dict[Mark, tuple[str, Ink]] = {
    Mark.KEPT: ("✓", Ink.GOOD),
    Mark.DROPPED: ("✗", Ink.BAD),
    Mark.NONE: ("·", Ink.FAINT),
}


@dataclass(frozen=True)
class Variant:
    """A line of the list: a prompt, what was said about it, and the prompt that it came from."""

    text: str
    parent: str = ""
    mark: Mark = Mark.NONE


@dataclass(frozen=True)
class Brush:
    """What painting uses besides the prompt."""

    seeds: int = 1
    strength: float = 1.0
    checkpoint: Path | None = None


def changed_pieces(text: str, parent: str, plain: Ink) -> Line:
    """A prompt with what is new against its parent set off, part by part (parts end at commas)."""
    if not parent:
        return [(text, plain)]
    parts, before = _parts(text), _parts(parent)
    line: Line = []
    for tag, _, _, start, end in difflib.SequenceMatcher(None, before, parts, autojunk=False).get_opcodes():
        for at in range(start, end):
            line.append((parts[at] + (", " if at < len(parts) - 1 else ""), plain if tag == "equal" else Ink.ACTIVE))
    return line


def variant_line(variant: Variant, width: int) -> Line:
    """A variation's row: its mark, and the prompt with what changed set off."""
    sign, ink = MARKS[variant.mark]
    plain = Ink.MUTED if variant.mark is Mark.DROPPED else Ink.PLAIN
    return cut([(f"{sign} ", ink), *changed_pieces(variant.text, variant.parent, plain)], width)


def brush_line(brush: Brush) -> Line:
    """``2 seeds each · jx265-000008 at 0.80``."""
    seeds: Line = [(many(brush.seeds, "seed"), Ink.STRONG), (" each · ", Ink.MUTED)]
    if brush.checkpoint is None:
        return [*seeds, ("no LoRA trained yet: the base model alone", Ink.ATTENTION)]
    return [*seeds, (brush.checkpoint.stem, Ink.STRONG), (" at ", Ink.MUTED), (f"{brush.strength:.2f}", Ink.STRONG)]


def to_paint(variants: Sequence[Variant], cursor: Variant | None) -> list[Variant]:
    """What Enter paints: what is kept, else the line under the cursor."""
    kept = [variant for variant in variants if variant.mark is Mark.KEPT]
    return kept or ([cursor] if cursor is not None else [])


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


class PromptsScreen(WorkScreen):
    """A prompt at the top, its variations below; Enter paints."""

    SCOPE = Scope.PROMPTS
    CSS_PATH = "prompts.tcss"
    BINDINGS = bindings_for(Scope.PROMPTS)
    QUESTION = "What shall be painted?"
    AUTO_FOCUS = "#variants"

    def __init__(self) -> None:
        super().__init__()
        self._brush = Brush()
        self._variants: list[Variant] = []
        self._round = 0
        self._filled = False

    def body(self) -> Iterable[Widget]:
        """The prompt, what it must not be, the variations, the whole line under the cursor."""
        with Vertical(id="fields"):
            with Horizontal(classes="field"):
                yield Static("prompt", classes="label")
                yield TextLine(id="prompt", placeholder="photo of jx265 man, {soft|hard} light")
            with Horizontal(classes="field"):
                yield Static("without", classes="label")
                yield TextLine(id="negative", placeholder="what must not be on it")
        with Vertical(id="variants-pane", classes="pane"):
            yield Rows[Variant](variant_line, id="variants")
        yield Static(id="whole")

    def shown(self) -> None:
        """The newest checkpoint may be another, and the settings may have changed."""
        project = self.project
        settings = self.attempt(lambda: project.settings)
        if settings is None:
            return
        self._brush = replace(self._brush, strength=settings.painting.strength)
        if not self._filled:
            self.edit(settings.painting.style, settings.painting.negative)

        def read() -> Path | None:
            from engine.pictures.orders import newest_lora

            return newest_lora(project)

        self.do("read", read, self._take)

    def status(self) -> Line:
        """What painting will use."""
        return brush_line(self._brush)

    def focus_list(self) -> None:
        """The variations."""
        self.rows.focus()

    @property
    def rows(self) -> Rows[Variant]:
        """The list."""
        return self.query_one("#variants", Rows)

    def edit(self, prompt: str, negative: str) -> None:
        """Takes a prompt from elsewhere."""
        self._filled = True
        self.query_one("#prompt", TextLine).value = prompt
        self.query_one("#negative", TextLine).value = negative
        self._begin(prompt)

    def action_edit(self) -> None:
        """Into the prompt."""
        field = self.query_one("#prompt", TextLine)
        field.focus()
        field.cursor_position = len(field.value)

    def action_vary(self) -> None:
        """Makes variations of the prompt; what is kept stays."""
        project, prompt = self.project, self.query_one("#prompt", TextLine).value.strip()
        kept = [variant for variant in self._variants if variant.mark is Mark.KEPT]
        self._round += 1
        seed = self._round

        def vary() -> tuple[str, list[str]]:
            from engine.prompts.grammar import fill, has_choices, plain, variations
            from engine.prompts.ladder import vary as vary_along

            template = fill(prompt, project.settings.person)
            parent = plain(template)
            if has_choices(template):
                return parent, variations(template, VARIATIONS, seed)
            return parent, [each.text for each in vary_along(parent, VARIATIONS, seed)]

        def varied(made: tuple[str, list[str]]) -> None:
            parent, texts = made
            known = {variant.text for variant in kept}
            new = [Variant(text, parent) for text in texts if text not in known]
            self._show([*kept, *new], cursor=len(kept))
            self.focus_list()

        self.do("variants", vary, varied)

    def action_keep(self) -> None:
        """Keeps the variation, and goes on."""
        self._mark(Mark.KEPT)

    def action_drop(self) -> None:
        """Drops it, and goes on."""
        self._mark(Mark.DROPPED)

    def action_clear(self) -> None:
        """Takes the mark away."""
        self._mark(Mark.NONE, go_on=False)

    def action_again(self) -> None:
        """The variation under the cursor becomes the prompt, and is varied."""
        variant = self.rows.item
        if variant is not None:
            self.query_one("#prompt", TextLine).value = variant.text
            self.action_vary()

    def action_more_seeds(self) -> None:
        """One picture more of each."""
        self._brush = replace(self._brush, seeds=min(MOST_SEEDS, self._brush.seeds + 1))
        self.ask()

    def action_fewer_seeds(self) -> None:
        """One picture fewer of each."""
        self._brush = replace(self._brush, seeds=max(1, self._brush.seeds - 1))
        self.ask()

    def action_stronger(self) -> None:
        """More of the LoRA."""
        self._strengthen(0.05)

    def action_weaker(self) -> None:
        """Less of the LoRA."""
        self._strengthen(-0.05)

    def action_paint(self) -> None:
        """Hands what is kept, or the line under the cursor, to the painter, and goes to see."""
        variants = to_paint(self._variants, self.rows.item)
        if not variants:
            self.say("Write a prompt first: i goes there.")
            return
        project, brush = self.project, self._brush
        negative = self.query_one("#negative", TextLine).value.strip()

        def order() -> int:
            from engine.pictures.orders import newest_lora
            from engine.pictures.start import order_pictures

            # Looked up now: the one on the screen may be an epoch old.
            orders = orders_for(project, variants, negative, replace(brush, checkpoint=newest_lora(project)))
            order_pictures(project, orders)
            return len(orders)

        def ordered(count: int) -> None:
            self.say(f"{many(count, 'picture')} queued.")
            if self.is_current:
                self.app.switch_mode(Scope.PICTURES.value)

        self.do("paint", order, ordered)

    @on(TextLine.Submitted)
    def _entered(self, event: TextLine.Submitted) -> None:
        self._begin(self.query_one("#prompt", TextLine).value)
        self.focus_list()

    @on(Rows.Moved, "#variants")
    def _moved(self) -> None:
        variant = self.rows.item
        whole = self.query_one("#whole", Static)
        whole.update(content_of(changed_pieces(variant.text, variant.parent, Ink.PLAIN)) if variant else "")

    def _take(self, checkpoint: Path | None) -> None:
        self._brush = replace(self._brush, checkpoint=checkpoint)
        self.ask()

    def _begin(self, prompt: str) -> None:
        """The list begins with the prompt itself; what is kept stays."""
        project = self.project

        def read() -> str:
            from engine.prompts.grammar import fill, plain

            return plain(fill(prompt, project.settings.person))

        def begun(text: str) -> None:
            kept = [variant for variant in self._variants if variant.mark is Mark.KEPT and variant.text != text]
            self._show([Variant(text), *kept] if text else kept, cursor=0)

        self.do("variants", read, begun)

    def _show(self, variants: list[Variant], cursor: int) -> None:
        self._variants = variants
        self.rows.show(variants, cursor)
        kept = sum(variant.mark is Mark.KEPT for variant in variants)
        pane = self.query_one("#variants-pane")
        pane.border_title = f"{many(len(variants), 'prompt')} · {kept} kept" if kept else many(len(variants), "prompt")

    def _mark(self, mark: Mark, go_on: bool = True) -> None:
        at = self.rows.cursor
        if self.rows.item is None:
            return
        self._variants[at] = replace(self._variants[at], mark=mark)
        self._show(self._variants, at + 1 if go_on else at)

    def _strengthen(self, by: float) -> None:
        strength = round(min(4.0, max(-4.0, self._brush.strength + by)), 2)
        self._brush = replace(self._brush, strength=strength)
        self.attempt(lambda: self.project.change({"painting.strength": strength}))
        self.ask()


def orders_for(project: Project, variants: Sequence[Variant], negative: str, brush: Brush) -> list[PictureOrder]:
    """Orders for some prompts, each with as many new seeds as the brush says; the prompts go on the shelf."""
    from engine.pictures.orders import order_for
    from engine.prompts.shelf import Shelf

    orders: list[PictureOrder] = []
    with project.store() as store:
        shelf = Shelf(store)
        for variant in variants:
            parent = shelf.add(variant.parent, negative).id if variant.parent else None
            kept = shelf.add(variant.text, negative, parent)
            for _ in range(brush.seeds):
                order = order_for(project, kept.text, lora=brush.checkpoint, strength=brush.strength, prompt_id=kept.id)
                orders.append(replace(order, negative=negative))
    return orders
