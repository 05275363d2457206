"""What Limner uses of Textual beyond what it documents, as of Textual 8.2.8; the driver's base class apart.

Textual may rename any of it, so ``pyproject.toml`` pins its version exactly. To go to another version: read these
functions beside its source, and run the tests.
"""

from __future__ import annotations

from typing import Any

from textual import events
from textual.app import App
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widget import Widget


def driver_of(app: App[Any]) -> Any:
    """What reads from and writes to the terminal; None before the app runs."""
    return app._driver


def calm_seconds(app: App[Any]) -> float:
    """How long nobody has typed, of a driver that tells; 0 of others, such as a test's."""
    return float(getattr(app._driver, "calm_seconds", 0.0))


def screens_by_mode(app: App[Any]) -> dict[str, list[Screen[Any]]]:
    """The screens of each mode that was made, the one on top last."""
    return app._screen_stacks


def is_exiting(app: App[Any]) -> bool:
    """Whether ``exit`` was called."""
    return app._exit


def error_of(app: App[Any]) -> BaseException | None:
    """What ended the app that was a mistake of ours."""
    return app._exception


def close_now(app: App[Any]) -> None:
    """Ends the app without waiting for its messages."""
    app._close_messages_no_wait()


def theme_changed(app: App[Any]) -> None:
    """Draws everything anew in a theme whose colours changed under the same name."""
    app._watch_theme(app.theme)


def add_line_filter(app: App[Any], line_filter: LineFilter) -> None:
    """Passes every line through a filter before it goes to the terminal."""
    app._filters.append(line_filter)


def draw_at_once(screen: Screen[Any]) -> None:
    """Draws a screen as soon as it has resumed, not a sixtieth of a second later."""
    screen.call_later(screen._on_timer_update)


def count_as_styled(screen: Screen[Any]) -> None:
    """A screen that is made now is styled as the app is now: Textual would parse all stylesheets twice more for it."""
    screen._css_update_count = screen.app._css_update_count


async def make_ahead(app: App[Any], mode: str, screen: Screen[Any]) -> None:
    """Mounts and lays out the first screen of a mode, without going to it."""
    made, mounted = app._get_screen(screen)
    app._load_screen_css(made)
    app._screen_stacks[mode] = [made]
    await mounted
    made._refresh_layout(app.size)
    # Drawn once, its widgets know their lines.
    made._compositor.render_strips()


def forward_key(widget: Widget, event: events.Key) -> None:
    """Gives a key to a widget as if it had the focus."""
    widget._forward_event(events.Key(event.key, event.character))
