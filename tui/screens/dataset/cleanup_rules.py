"""Clean-up rules: switch each on or off by a key; ``limner.toml`` holds what differs from usual."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from engine.errors import LimnerError
from engine.project import Project
from tui.actions import Scope
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.widgets.ink import Ink, Line, content_of, cut
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from engine.dataset.captions.cleanup_rules import Rule
    from engine.settings import CaptionsSettings


def switched(rule: Rule, settings: CaptionsSettings) -> dict[str, object]:
    """What a rule's switch changes in the settings; lists that become empty go."""
    from engine.dataset.captions.cleanup_rules import is_on

    on = not is_on(rule, settings)
    off_now = [each.value for each in settings.rules_off if each is not rule.id]
    on_now = [each.value for each in settings.rules_on if each is not rule.id]
    if on is not rule.default:
        (on_now if on else off_now).append(rule.id.value)
    return {"captions.rules_off": off_now or None, "captions.rules_on": on_now or None}


class CleanUpRules(Overlay[None]):
    """The rules over the screen; a switch holds at once, for captions that are cleaned from then on."""

    CSS_PATH = "dialogs.tcss"
    SCOPES = (Scope.SWITCHES,)
    BINDINGS = overlay_bindings(Scope.SWITCHES)

    def __init__(self, project: Project, settings: CaptionsSettings) -> None:
        super().__init__()
        self._project = project
        self._settings = settings

    def compose(self) -> ComposeResult:
        """The rules, the user's own words, the keys."""
        with Vertical() as box:
            box.border_title = "Clean-up rules for captions"
            yield Rows["Rule"](self._line)
            yield Static(id="own")
            yield Hints(
                "{switches.switch} on or off   {switches.leave} close   {dataset.clean} then cleans what is there"
            )

    def on_mount(self) -> None:
        """Fills the list."""
        from engine.dataset.captions.cleanup_rules import RULES

        self.query_one(Rows).show(RULES)
        self.query_one("#own", Static).update(content_of(own_words(self._settings)))

    @on(Rows.Chosen)
    def action_switch(self) -> None:
        """Switches the rule under the cursor."""
        rows = self.query_one(Rows)
        rule: Rule | None = rows.item
        if rule is None:
            return
        try:
            self._settings = self._project.change(switched(rule, self._settings)).captions
        except LimnerError as error:
            self.notify(error.one_line(), severity="error", markup=False)
        rows.redraw(rows.cursor)

    def action_leave(self) -> None:
        """Closes."""
        self.dismiss(None)

    def _line(self, rule: Rule, width: int) -> Line:
        from engine.dataset.captions.cleanup_rules import is_on

        on = is_on(rule, self._settings)
        mark = ("✓ on   ", Ink.GOOD) if on else ("· off  ", Ink.MUTED)
        usual = "" if on is rule.default else f"  (usually {'on' if rule.default else 'off'})"
        words = (rule.words, Ink.PLAIN if on else Ink.MUTED)
        return cut([mark, (f"{rule.id.value:<11}", Ink.STRONG if on else Ink.MUTED), words, (usual, Ink.MUTED)], width)


def own_words(settings: CaptionsSettings) -> Line:
    """The user's own tags that are dropped, kept and replaced."""
    lists = {
        "dropped": settings.drop,
        "kept": settings.keep,
        "replaced": tuple(f"{old} → {new}" for old, new in settings.replace.items()),
    }
    told = "; ".join(f"{words}: {', '.join(tags)}" for words, tags in lists.items() if tags)
    return [
        (f"yours  {told}" if told else "none of your own: captions.drop, captions.keep, captions.replace", Ink.MUTED)
    ]
