"""What can be done on every screen."""

from __future__ import annotations

from tui.actions.action import SCREENS, Action

_GOING = tuple(
    Action(f"app.{screen.value}", f"Go to {screen.title}", (str(number),))
    for number, screen in enumerate(SCREENS, start=1)
)
EVERYWHERE: tuple[Action, ...] = (
    *_GOING,
    Action("app.help", "What the keys do here", ("question_mark", "f1"), "help", 1),
    Action("app.command_palette", "Find any action by its name", ("colon", "ctrl+p", "f2"), "all", 90, palette=False),
    Action("app.themes", "Choose another theme"),
    Action("app.pictures_as", "Pictures as sharp as the terminal can, or as half-blocks", ("I",)),
    Action("app.grid", "Go to the grid: pictures that differ in a few values", ("number_sign",)),
    Action("app.wider", "More room for what is beside the list", ("less_than_sign",)),
    Action("app.narrower", "More room for the list", ("greater_than_sign",)),
    Action("app.settings", "Settings: every one with its meaning and its bounds", ("comma",)),
    Action("app.doctor", "Doctor: what this machine and this terminal can do, and what mends it"),
    Action("app.screenshot", "Save the screen as an SVG"),
    Action("app.quit", "Quit; what runs goes on", ("q",), "quit", 80),
    Action("app.interrupt", "Quit when pressed twice", ("ctrl+c",), palette=False),
)
