"""Moving about in lists, settings and fields."""

from __future__ import annotations

from tui.actions.action import Action

MOVEMENT: tuple[Action, ...] = (
    Action("list.down", "Down a row", ("j", "down")),
    Action("list.up", "Up a row", ("k", "up")),
    Action("list.top", "To the first row", ("gg", "home")),
    Action("list.bottom", "To the last row", ("G", "end")),
    Action("list.half_down", "Half a page down", ("ctrl+d", "pagedown")),
    Action("list.half_up", "Half a page up", ("ctrl+u", "pageup")),
    Action("dials.next", "To the next setting", ("j", "down"), palette=False),
    Action("dials.previous", "To the setting before", ("k", "up"), palette=False),
    Action("dials.more", "More of it", ("l", "right"), "more", 12, palette=False),
    Action("dials.less", "Less of it", ("h", "left"), "less", 12, palette=False),
    Action("field.submit", "Take what was typed, and go on", ("enter",), "go on", 11, palette=False),
    Action("field.leave", "Leave the field, to the list", ("escape",), "leave", 12, palette=False),
)
