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
    Action("grid.right", "To the next thumbnail", ("l", "right"), palette=False),
    Action("grid.left", "To the thumbnail before", ("h", "left"), palette=False),
    Action("grid.down", "A row of thumbnails down", ("j", "down"), palette=False),
    Action("grid.up", "A row of thumbnails up", ("k", "up"), palette=False),
    Action("grid.top", "To the first thumbnail", ("gg", "home"), palette=False),
    Action("grid.bottom", "To the last thumbnail", ("G", "end"), palette=False),
    Action("grid.page_down", "A page of thumbnails down", ("ctrl+d", "pagedown"), palette=False),
    Action("grid.page_up", "A page of thumbnails up", ("ctrl+u", "pageup"), palette=False),
    Action("dials.next", "To the next setting", ("j", "down"), palette=False),
    Action("dials.previous", "To the setting before", ("k", "up"), palette=False),
    Action("dials.top", "To the first setting", ("gg", "home"), palette=False),
    Action("dials.bottom", "To the last setting", ("G", "end"), palette=False),
    Action("dials.more", "More of it", ("l", "right"), "more", 12, palette=False),
    Action("dials.less", "Less of it", ("h", "left"), "less", 12, palette=False),
    Action("field.submit", "Take what was typed, and go on", ("enter",), "go on", 11, palette=False),
    Action("field.leave", "Leave the field, to the list", ("escape", "ctrl+c"), "leave", 12, palette=False),
)
