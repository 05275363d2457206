"""What varies on the Prompts screen, how much, and by what: the line of keys above the list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.widgets import Static

from engine.errors import LimnerError, PromptError
from engine.prompts.axes import NAMES
from engine.prompts.axis_variation import Size
from engine.security.trust import NotConfirmed
from tui.app.session_state import Left
from tui.screens.connect.confirm_server import ask_to_confirm
from tui.screens.prompts.text import Choice, choice_line
from tui.screens.shared.searchable import Seeking
from tui.widgets.ink import Line, content_of

if TYPE_CHECKING:
    from engine.llm.server import ModelServer


class ChoosingWhatVaries(Seeking):
    """The part of the screen that says what a variation is."""

    def __init__(self) -> None:
        super().__init__()
        self.choice = Choice()

    def save_state(self) -> Left:
        """What varies, how much, by what, and what stays."""
        choice = self.choice
        told = {"axes": sorted(choice.axes), "size": choice.size.value, "by_model": choice.by_model}
        return {**super().save_state(), "choice": {**told, "locked": sorted(choice.locked)}}

    def restore_state(self, left: Left) -> None:
        """Takes it up again, as far as it still means something."""
        super().restore_state(left)
        told = left.get("choice")
        if isinstance(told, dict):
            axes, locked = (frozenset(map(str, told.get(name) or ())) for name in ("axes", "locked"))
            size = next((each for each in Size if each.value == told.get("size")), self.choice.size)
            by_model = bool(told.get("by_model"))
            self.choice = replace(self.choice, axes=axes & set(NAMES), locked=locked, size=size, by_model=by_model)

    def keys_changed(self) -> None:
        """What varies is told with its keys, too."""
        super().keys_changed()
        self.draw_choice()

    def action_size(self) -> None:
        """Small, medium or bold changes."""
        sizes = list(Size)
        self.choose(size=sizes[(sizes.index(self.choice.size) + 1) % len(sizes)])

    def action_engine(self) -> None:
        """By the grammar, or by the language model."""
        self.choose(by_model=not self.choice.by_model)
        if self.choice.by_model and self.choice.model is None:
            self.action_model()

    def action_model(self) -> None:
        """The next of the server's models."""
        server = self.model_server()
        if server is None:
            self.choose(by_model=False)
            return

        def chosen(models: list[str]) -> None:
            if not models:
                self.say(f"{server.place} has no model.")
                return
            before = self.choice.model
            model = models[(models.index(before) + 1) % len(models)] if before in models else models[0]
            if self.try_show(lambda: self.project.change({"language_model.model": model})) is not None:
                self.choose(by_model=True, model=model)

        self.run_latest("models", server.models, chosen, self._no_models)

    def action_place(self) -> None:
        """Places vary, or do not."""
        self._toggle("place")

    def action_light(self) -> None:
        """The light varies, or does not."""
        self._toggle("light")

    def action_clothes(self) -> None:
        """Clothes vary, or do not."""
        self._toggle("clothes")

    def action_lens(self) -> None:
        """The lens varies, or does not."""
        self._toggle("lens")

    def action_expression(self) -> None:
        """The expression varies, or does not."""
        self._toggle("expression")

    def action_framing(self) -> None:
        """The framing varies, or does not."""
        self._toggle("framing")

    def model_server(self) -> ModelServer | None:
        """The language model's server, unless none is set or its address is none; that is told. One that only the
        project's file names is asked about first: then None, and the key has to be pressed again."""
        from engine.llm.server import project_server

        settings = self.try_show(lambda: self.project.settings.language_model)
        if settings is None:
            return None
        url = settings.url

        def make() -> ModelServer:
            if url is None:
                raise PromptError(
                    "no language model is set",
                    "set language_model.url in limner.toml; Ollama's is http://127.0.0.1:11434/v1",
                )
            return project_server(self.project.root, url, settings.silent_seconds)

        try:
            return make()
        except NotConfirmed as error:
            ask_to_confirm(self, error, "your prompts", lambda: self.say("Confirmed. Press the key again to ask it."))
        except LimnerError as error:
            self.show_error(error)
        return None

    def choose(self, **changes: object) -> None:
        """Something else varies."""
        self.choice = replace(self.choice, **changes)  # type: ignore[arg-type]
        self.draw_choice()

    def _toggle(self, axis: str) -> None:
        self.choose(axes=self.choice.axes ^ {axis})

    def draw_choice(self) -> None:
        """Writes what varies."""
        self.write("#choice", lambda width: choice_line(self.choice, width, self.limner.keys))

    def _no_models(self, error: LimnerError) -> None:
        self.choose(by_model=False)
        self.show_error(error)

    def write(self, where: str, line: Callable[[int], Line]) -> None:
        """Writes a line of the screen's width."""
        self.query_one(where, Static).update(content_of(line(max(10, self.size.width - 2))), layout=False)
