"""Moving about in lists, settings and fields."""

from __future__ import annotations

from tui.actions.action import Action

MOVEMENT: tuple[Action, ...] = (
    Action("list.down", "Down a row", ("j", "down")),
    Action("list.up", "Up a row", ("k", "up")),
    Action("list.top", "First row", ("gg", "home")),
    Action("list.bottom", "Last row", ("G", "end")),
    Action("list.half_down", "Half a page down", ("ctrl+d", "pagedown")),
    Action("list.half_up", "Half a page up", ("ctrl+u", "pageup")),
    Action("grid.right", "Next thumbnail", ("l", "right"), palette=False),
    Action("grid.left", "Previous thumbnail", ("h", "left"), palette=False),
    Action("grid.down", "Down a row of thumbnails", ("j", "down"), palette=False),
    Action("grid.up", "Up a row of thumbnails", ("k", "up"), palette=False),
    Action("grid.top", "First thumbnail", ("gg", "home"), palette=False),
    Action("grid.bottom", "Last thumbnail", ("G", "end"), palette=False),
    Action("grid.page_down", "Down a page of thumbnails", ("ctrl+d", "pagedown"), palette=False),
    Action("grid.page_up", "Up a page of thumbnails", ("ctrl+u", "pageup"), palette=False),
    Action("dials.next", "Next setting", ("j", "down"), palette=False),
    Action("dials.previous", "Previous setting", ("k", "up"), palette=False),
    Action("dials.top", "First setting", ("gg", "home"), palette=False),
    Action("dials.bottom", "Last setting", ("G", "end"), palette=False),
    Action("dials.more", "Increase the value", ("l", "right"), "more", 12, palette=False),
    Action("dials.less", "Decrease the value", ("h", "left"), "less", 12, palette=False),
    Action("field.submit", "Accept the input and move on", ("enter",), "next", 11, palette=False),
    Action("field.leave", "Leave the field for the list", ("escape", "ctrl+c"), "leave", 12, palette=False),
)
