"""What can be done on every screen."""

from __future__ import annotations

from tui.actions.action import SCREENS, Action

_GOING = tuple(
    Action(f"app.{screen.value}", f"Go to {screen.title}", (str(number),))
    for number, screen in enumerate(SCREENS, start=1)
)
EVERYWHERE: tuple[Action, ...] = (
    *_GOING,
    Action("app.help", "Help: the keys here", ("question_mark", "f1"), "help", 1),
    Action("app.command_palette", "Find an action by name", ("colon", "ctrl+p", "f2"), "all", 90, palette=False),
    Action("app.themes", "Choose a theme"),
    Action("app.pictures_as", "Toggle between full-resolution pictures and half-blocks", ("I",)),
    Action("app.grid", "Go to the grid: compare pictures that differ in a few values", ("number_sign",)),
    Action("app.wider", "Widen the pane beside the list", ("less_than_sign",)),
    Action("app.narrower", "Widen the list", ("greater_than_sign",)),
    Action("app.settings", "Settings, each with its meaning and allowed values", ("comma",)),
    Action("app.doctor", "Doctor: check this machine and this terminal, with fixes"),
    Action("app.screenshot", "Save the screen as an SVG"),
    Action("app.quit", "Quit; running jobs continue", ("q",), "quit", 80),
    Action("app.interrupt", "Quit (press twice)", ("ctrl+c",), palette=False),
)
