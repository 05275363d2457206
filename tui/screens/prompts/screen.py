"""Screen 5: what to paint: a prompt, its variations, and from them to the painter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from engine.counting import many
from engine.errors import LimnerError, PromptError
from engine.prompts.breakdown import Breakdown
from engine.prompts.store import Mark
from tui.actions import Scope
from tui.app.session_state import Left
from tui.screens.prompts.generation_params import ChoosingTheBrush
from tui.screens.prompts.locks import Locks
from tui.screens.prompts.text import (
    Variant,
    breakdown_line,
    changed_pieces,
    list_title,
    to_paint,
    variant_line,
)
from tui.screens.prompts.tree import PromptList, Taken, library, tree
from tui.screens.prompts.work import (
    PromptDraft,
    Surroundings,
    Wrote,
    broken_down,
    families,
    laid_out,
    left_off,
    library_of,
    look_around,
    orders_for,
    parts_locked,
    parts_that_may_vary,
    rewritten,
    varied,
)
from tui.theming.bindings import bindings_for
from tui.widgets.ink import Ink, content_of, title_of
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from engine.llm.server import ModelServer
    from engine.prompts.llm.variations import Progress

__all__ = ["PromptsScreen", "orders_for"]


class PromptsScreen(ChoosingTheBrush):
    """A prompt at the top, its variations below; Enter paints."""

    SCOPE = Scope.PROMPTS
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings_for(Scope.PROMPTS)
    QUESTION = "What to paint?"
    EMPTY = ([("Vary a prompt, keep the variations you like, and paint them.", Ink.PLAIN)],)
    AUTO_FOCUS = "#variants"

    @dataclass
    class Came(Message):
        """A language model wrote something."""

        progress: Progress

    def __init__(self) -> None:
        super().__init__()
        self._note = ""
        self._round = 0
        self._filled = False
        self._reading = True
        self._ahead: list[Callable[[], None]] = []
        self._server: ModelServer | None = None
        self._wrote: Wrote | None = None
        self._style: Wrote = ("", "")

    def save_state(self) -> Left:
        """And what is written, but where that is only the style of the settings: another one counts the next time."""
        if not self._reading:
            draft = self.draft()
            written = draft.parent, draft.negative
            self._wrote = None if written in (self._style, ("", "")) else written
        return {**super().save_state(), "wrote": self._wrote and list(self._wrote)}

    def restore_state(self, left: Left) -> None:
        """Takes it up again."""
        super().restore_state(left)
        match left.get("wrote"):
            case [str(prompt), str(negative)]:
                self._wrote = prompt, negative

    def body(self) -> Iterable[Widget]:
        """The prompt taken apart, what varies, the variations, the whole line under the cursor."""
        with Vertical(id="fields"):
            with Horizontal(classes="field"):
                yield Static("prompt", classes="label")
                yield TextLine(id="prompt", placeholder="photo of jx265 man, {soft|hard} light")
            with Horizontal(classes="field"):
                yield Static("negative", classes="label")
                yield TextLine(id="negative", placeholder="what to keep out")
            yield Static(id="breakdown")
            yield Static(id="choice")
        with Vertical(id="variants-pane", classes="pane"):
            yield Rows[Variant](variant_line, id="variants")
        yield Static(id="whole")
        yield TextLine(id="rewrite")

    def shown(self) -> None:
        """The newest checkpoint may be another, and the settings may have changed."""
        project = self.project
        settings = self.try_show(lambda: project.settings)
        if settings is None:
            return
        self._style = settings.painting.style, settings.painting.negative
        if self._params.chosen is None or self._params.chosen.strength is None:
            self._params = replace(self._params, strength=settings.painting.strength)
        self.choice = replace(self.choice, model=settings.language_model.model)
        if not self._filled:
            self._filled = True
            wrote = self._wrote
            self.run_latest("variants", lambda: left_off(project, wrote), self._lay, self._not_laid)
        self.run_latest("read", lambda: look_around(project), self._took_in, self.could_not_read)
        self.draw_choice()

    def on_resize(self) -> None:
        """More or less of it fits."""
        self._break_down()
        self.draw_choice()

    def focus_list(self) -> None:
        """The variations."""
        self.set_focus(self.rows)

    def leave_field(self, field: Widget) -> None:
        """Esc in the field of a rewritten variation leaves it as it was."""
        self.query_one("#rewrite").display = False
        super().leave_field(field)

    def edit(self, prompt: str, negative: str) -> None:
        """Takes a prompt from elsewhere."""
        self._filled, self._reading = True, False
        project = self.project
        self.run_latest("variants", lambda: laid_out(project, prompt, negative), self._lay)

    def action_edit(self) -> None:
        """Into the prompt."""
        field = self.query_one("#prompt", TextLine)
        self.set_focus(field)
        field.cursor_position = len(field.value)

    def action_vary(self) -> None:
        """Makes variations of the prompt; what is kept stays."""
        if self._typed_ahead(self.action_vary):
            return
        self.action_cancel()
        server = self.model_server() if self.choice.by_model else None
        if self.choice.by_model and server is None:
            return
        self._server = server
        project, draft, choice = self.project, self.draft(), self.choice
        self._round += 1
        seed = self._round
        self.keys_changed()

        def tell(progress: Progress) -> None:
            self.post_message(self.Came(progress))

        def vary() -> PromptDraft | None:
            from engine.llm.server import Cancelled

            try:
                return varied(project, draft, choice, seed, server, tell)
            except Cancelled:
                return None

        self.run_latest("variants", vary, self._varied, self._failed)

    def action_cancel(self) -> None:
        """Cancels the request to the language model."""
        if self._server is not None:
            self._server.cancel()

    def action_again(self) -> None:
        """The variation under the cursor becomes the prompt, and is varied."""
        variant = self.rows.item
        if variant is not None:
            self.query_one("#prompt", TextLine).value = variant.text
            self.action_vary()

    def action_rewrite(self) -> None:
        """Opens the variation under the cursor for writing."""
        variant = self.rows.item
        if variant is not None:
            field = self.query_one("#rewrite", TextLine)
            field.display = True
            field.value = variant.text
            self.set_focus(field)
            field.cursor_position = len(field.value)

    def action_tree(self) -> None:
        """Variation tree; the one chosen becomes the prompt."""
        project = self.project
        self.run_latest("tree", lambda: families(project), lambda found: self._offer(tree(found)))

    def action_lock(self) -> None:
        """Lists the parts of the prompt; each is locked, or not."""
        if self._typed_ahead(self.action_lock):
            return
        prompt = self.draft().parent
        parts = self.try_show(lambda: parts_that_may_vary(prompt, self.project.settings.person))
        if parts:
            self.app.push_screen(Locks(parts, self.choice.locked, self._lock))
        elif parts is not None:
            self.say("The prompt has only one part, so nothing can be locked.")

    def action_library(self) -> None:
        """Prompts to start from; the one chosen becomes the prompt."""
        project = self.project
        self.run_latest("library", lambda: library_of(project), lambda found: self._offer(library(found)))

    def action_paint(self) -> None:
        """Hands what is kept, or the line under the cursor, to the painter, and goes to see."""
        if self._typed_ahead(self.action_paint):
            return
        variants = to_paint(self._variants, self.rows.item)
        if not variants:
            found = broken_down(self.draft(), self._around)
            if isinstance(found, PromptError):
                self.show_error(found)
            else:
                self.say("Write a prompt first: {prompts.edit} goes there.")
            return
        project, params, negative = self.project, self._params, self.draft().negative

        def order() -> int:
            from engine.pictures.orders.orders import newest_lora
            from engine.pictures.orders.start import order_pictures

            # Looked up now: the newest one on the screen may be an epoch old.
            lora = params.chosen.file if params.chosen is not None else newest_lora(project)
            orders = orders_for(project, variants, negative, replace(params, checkpoint=lora))
            order_pictures(project, orders)
            return len(orders)

        def ordered(count: int) -> None:
            self.say(f"{many(count, 'picture')} queued.")
            if self.is_current:
                self.app.switch_mode(Scope.PICTURES.value)

        self.run_queued(order, ordered)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a question that is being asked can be taken back."""
        return self._server is not None if action == "cancel" else super().check_action(action, parameters)

    def on_prompts_screen_came(self, message: Came) -> None:
        """Shows what the model writes, as it writes."""
        if self._server is None:
            return
        if message.progress.variation is not None:
            new = message.progress.variation
            self._variants.append(Variant(new.text, self._plain_parent(), distance=new.distance))
            self.show_variants(self._variants, self.rows.cursor)
        self._title(f"asking {self.choice.model} on {self._server.place} … {message.progress.accepted}")

    @on(TextLine.Changed, "#prompt")
    def _typed(self) -> None:
        self._break_down()

    @on(TextLine.Submitted, "#prompt,#negative")
    def _entered(self, event: TextLine.Submitted) -> None:
        draft = self.draft()
        self.edit(draft.parent, draft.negative)
        self.focus_list()

    @on(TextLine.Submitted, "#rewrite")
    def _rewritten(self, event: TextLine.Submitted) -> None:
        at, variant, text, project = self.rows.cursor, self.rows.item, event.value.strip(), self.project
        self.leave_field(event.input)
        if variant is None or text == variant.text:
            return
        negative = self.draft().negative

        def written(new: Variant) -> None:
            self._variants[at] = new
            self.show_variants(self._variants, at)

        self.run_queued(lambda: rewritten(project, variant, text, negative), written)

    @on(Rows.Moved, "#variants")
    def _moved(self) -> None:
        variant = self.rows.item
        whole = self.query_one("#whole", Static)
        whole.update(content_of(changed_pieces(variant.text, variant.parent, Ink.PLAIN)) if variant else "")

    def _offer(self, screen: PromptList[Any]) -> None:
        def take(taken: Taken | None) -> None:
            if taken is not None:
                # A prompt that says only what is not to be seen leaves the rest as it is, and the other way round.
                draft = self.draft()
                self.edit(taken.text or draft.parent, taken.negative or draft.negative)

        self.app.push_screen(screen, take)

    def draft(self) -> PromptDraft:
        """What lies on the screen."""
        prompt, negative = (self.query_one(name, TextLine).value.strip() for name in ("#prompt", "#negative"))
        return PromptDraft(prompt, negative, tuple(self._variants))

    def _lay(self, draft: PromptDraft) -> None:
        """A prompt and what came from it come to lie on the screen; what was kept of another stays."""
        for name, text in (("#prompt", draft.parent), ("#negative", draft.negative)):
            field = self.query_one(name, TextLine)
            field.value = text + field.value if self._reading else text
            field.cursor_position = len(field.value)
        there = {variant.text for variant in draft.variants}
        kept = [each for each in self._variants if each.mark is Mark.KEPT and each.text not in there]
        self._note = draft.note
        self._reading = False
        self.show_variants([*draft.variants, *kept], cursor=0)
        ahead, self._ahead = self._ahead, []
        for action in ahead:
            action()

    def _typed_ahead(self, action: Callable[[], None]) -> bool:
        """Whether the prompts are still being read: then it is done with what is about to stand there."""
        if self._reading and action not in self._ahead:
            self._ahead.append(action)
        return self._reading

    def _not_laid(self, error: LimnerError) -> None:
        self._filled = self._reading = False
        self._ahead = []
        self.could_not_read(error)

    def _varied(self, draft: PromptDraft | None) -> None:
        self._server = None
        self.keys_changed()
        if draft is None:
            self.edit(self.draft().parent, self.draft().negative)
            self.say("Taken back.")
            return
        new = {variant.text for variant in draft.variants}
        kept = [each for each in self._variants if each.mark is Mark.KEPT and each.text not in new]
        first = sum(variant.mark is Mark.KEPT for variant in (*kept, *draft.variants))
        self._note = draft.note
        self.show_variants([*kept, *draft.variants], cursor=first)
        self.focus_list()

    def _failed(self, error: LimnerError) -> None:
        self._server = None
        self.keys_changed()
        self.show_variants(
            [each for each in self._variants if each.id is not None or not each.parent], self.rows.cursor
        )
        self.show_error(error)

    def _took_in(self, around: Surroundings) -> None:
        self._around = around
        if self._params.chosen is None:
            self._params = replace(self._params, checkpoint=around.checkpoint)
        self.ask()
        self._break_down()

    def _plain_parent(self) -> str:
        return self._variants[0].text if self._variants and not self._variants[0].parent else self.draft().parent

    def _break_down(self) -> None:
        if self._reading:
            return  # Nothing is told of a field that is only still empty.
        draft, around = self.draft(), self._around
        found = broken_down(draft, around)
        locked = (
            parts_locked(draft.parent, around.person, self.choice) if around and isinstance(found, Breakdown) else []
        )
        self.write("#breakdown", lambda width: breakdown_line(found, width, locked))

    def _lock(self, locked: frozenset[str]) -> None:
        self.choose(locked=locked)
        self._break_down()

    def show_variants(self, variants: list[Variant], cursor: int) -> None:
        """Shows other variations, the cursor on one of them."""
        self._variants = variants
        self.rows.show(variants, cursor)
        self._title(self._note)

    def _title(self, note: str) -> None:
        self.query_one("#variants-pane").border_title = title_of(list_title(self._variants, note))
