"""Renting a machine for a run: what is to be had and what the whole run costs there, and what goes there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui.actions import Scope
from tui.screens.shared.ask_text import AskText
from tui.screens.shared.dialogs import Confirm
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.text.meter import clock
from tui.widgets.ink import Ink, Line, cut, title_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from engine.jobs.folder import JobFolder
    from engine.rent.offers import Choice, Choices
    from tui.screens.shared.base import WorkScreen


class ChooseOffer(Overlay["Choice | None"]):
    """Asks for one of the offers, the cheapest whole run first.

    Args:
        found: the offers.
    """

    CSS_PATH = "rent.tcss"
    SCOPES = (Scope.CHOICE,)
    BINDINGS = overlay_bindings(Scope.CHOICE)

    def __init__(self, found: Choices) -> None:
        super().__init__()
        self._found = found

    def compose(self) -> ComposeResult:
        """The offers, what went wrong, the keys."""
        with Vertical() as box:
            box.border_title = title_of("Rent which machine for this run?")
            yield Static(f"  {'card':<18}{'memory':>7}  {'$/h':>5}  {'takes':>9}  {'whole run':>9}  at", id="heads")
            yield Rows(self._line)
            for problem in self._found.problems:
                yield Static(problem, classes="problem", markup=False)
            yield Hints("{choice.take} this one   {choice.leave} cancel")

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(self._found.found)

    def action_take(self) -> None:
        """Closes with the offer under the cursor."""
        self.dismiss(self.query_one(Rows).item)

    def action_leave(self) -> None:
        """Closes with none."""
        self.dismiss(None)

    def _line(self, choice: Choice, width: int) -> Line:
        offer = choice.offer
        takes = "not known" if choice.seconds is None else clock(choice.seconds)
        cost, ink = ("not known", Ink.MUTED) if choice.cost is None else (f"{choice.cost:.2f} $", Ink.STRONG)
        if choice.fits is False:
            cost, ink = "too small", Ink.ATTENTION
        figures = f"{offer.memory_gb * 1e9 / 2**30:>4.0f} GB  {offer.price:>5.2f}  {takes:>9}  "
        return cut(
            [
                (f" {offer.card[:17]:<18}", Ink.STRONG),
                (figures, Ink.PLAIN),
                (f"{cost:>9}  ", ink),
                (f"{offer.provider}, {offer.where}", Ink.MUTED),
            ],
            width,
        )


def rent_one(screen: WorkScreen, begun: Callable[[JobFolder], None]) -> None:
    """Asks the providers, lets one of their offers be chosen, tells what it costs and what goes there, and starts.

    Args:
        screen: the Training screen.
        begun: gets the run.
    """
    project = screen.project

    def ask() -> Choices:
        from engine.rent.offers import choices
        from engine.rent.provider import RentError, Wanted
        from engine.rent.registry import providers_to_ask

        found = choices(project, providers_to_ask(), Wanted(), {})
        if not found.found:
            raise RentError("nothing is to be had now", "try again later, or: limner rent --card")
        return found

    def offer(found: Choices) -> None:
        screen.app.push_screen(ChooseOffer(found), chosen)

    def chosen(choice: Choice | None) -> None:
        if choice is not None:
            ask_budget(choice, _usual_budget(choice, project.settings.training.budget))

    def ask_budget(choice: Choice, value: str) -> None:
        def answered(text: str | None) -> None:
            if text is None:
                return
            budget = _dollars(text)
            if budget is None:
                screen.say(f"{text} is no amount of money. Write it like this: 2.50")
                ask_budget(choice, text)
            else:
                screen.run_latest(
                    "rent", lambda: _words(screen, choice, budget), lambda words: confirm(choice, budget, words)
                )

        detail = "It ends with the run. However far that is, it ends when so many dollars are spent:"
        screen.app.push_screen(AskText("What may it cost in all?", detail, value), answered)

    def confirm(choice: Choice, budget: float, words: str) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                begin(choice, budget)

        question = f"Rent the {choice.offer.card} at {choice.offer.price:.2f} $/h?"
        screen.app.push_screen(Confirm(question, words), answered)

    def begin(choice: Choice, budget: float) -> None:
        def start() -> JobFolder:
            from engine.rent.start import start_rented

            return start_rented(project, choice, {}, budget)

        screen.run_latest("start", start, begun)

    screen.say("Asking what can be rented …")
    screen.run_latest("offers", ask, offer)


def _usual_budget(choice: Choice, of_project: float | None) -> str:
    """What the project allows; else what the machine may live at most; nothing where neither is known."""
    if of_project is not None:
        return f"{of_project:.2f}"
    if choice.seconds is None:
        return ""
    return f"{choice.lives_at_most(None) / 3600 * choice.offer.price:.2f}"


def _dollars(text: str) -> float | None:
    """An amount of money; None: it is none."""
    try:
        found = float(text.strip().removeprefix("$").removesuffix("$").strip())
    except ValueError:
        return None
    return found if 0 < found < 100_000 else None


def _words(screen: WorkScreen, choice: Choice, budget: float) -> str:
    """When it ends, and what goes there."""
    from engine.remote.start import travelling

    most = clock(choice.lives_at_most(budget))
    return f"It ends with the run, and after {most} at the latest. To it go {travelling(screen.project).words}."
