"""What the Pictures screen does beyond one key a picture: more like it, its settings, its parameters, copies of it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.counting import many
from engine.pictures.gallery.rows import Shown
from engine.pictures.orders.picture import PictureState
from tui.actions import Scope
from tui.screens.pictures.dialogs import ExportScreen, ParametersScreen
from tui.screens.shared.ask_text import AskText
from tui.screens.shared.dialogs import Confirm
from tui.text.sanitize import sanitize

if TYPE_CHECKING:
    from engine.pictures.gallery.export import Exported
    from tui.screens.pictures.queue import PicturesQueue
    from tui.screens.prompts.screen import PromptsScreen

SEVERAL, MOST_MORE = 4, 1000
"""How many more are offered, and how many there may be."""


def paint_more(screen: PicturesQueue, count: int) -> None:
    """Orders more like what keys act on, each with new seeds."""
    project, targets = screen.project, [each for each in screen.targets() if each.state != PictureState.QUEUED]

    def order() -> int:
        from engine.pictures.gallery.rows import order_like
        from engine.pictures.orders.orders import SEEDS
        from engine.pictures.orders.start import order_pictures

        with project.store() as store:
            orders = [
                order_like(project, store, each.id, secrets.randbelow(SEEDS)) for each in targets for _ in range(count)
            ]
        return len(order_pictures(project, orders))

    def ordered(queued: int) -> None:
        screen.say(f"{many(queued, 'picture')} queued with new seeds.")
        screen.reread()

    screen.run_queued(order, ordered)


def fix_faces(screen: PicturesQueue) -> None:
    """Orders the face fix of what keys act on; each becomes a picture of its own."""
    project, targets = screen.project, [each for each in screen.targets() if each.painted and not each.gone]
    if not targets:
        screen.say("Only painted pictures have faces to fix.")
        return

    def order() -> int:
        from engine.pictures.gallery.rows import order_face_fix
        from engine.pictures.orders.start import order_pictures

        with project.store() as store:
            orders = [order_face_fix(project, store, each.id) for each in targets]
        return len(order_pictures(project, orders))

    def ordered(queued: int) -> None:
        screen.say(f"Face fix of {many(queued, 'picture')} queued.")
        screen.reread()

    screen.run_queued(order, ordered)


def ask_how_many(screen: PicturesQueue) -> None:
    """Asks how many more to paint of each."""
    targets = screen.targets()

    def answered(text: str | None) -> None:
        if text is None:
            return
        if not text.isdecimal() or not 1 <= int(text) <= MOST_MORE:
            screen.say(f"Give a number from 1 to {MOST_MORE:,}.")
            return
        paint_more(screen, int(text))

    what = targets[0].prompt if len(targets) == 1 else f"of each of {len(targets)} that are marked"
    screen.app.push_screen(AskText("Paint how many more?", sanitize(what), str(SEVERAL)), answered)


def go_to_open(screen: PicturesQueue, backwards: bool = False) -> None:
    """Moves to the next unrated picture, or the previous one, going round."""
    grid, by = screen.grid, -1 if backwards else 1
    count = len(grid.items)
    for step in range(1, count + 1):
        at = (grid.cursor + by * step) % count
        picture = grid.items[at]
        if picture.painted and not (picture.rating or picture.favourite or picture.rejected):
            grid.cursor = at
            return
    screen.say("Every picture here is rated.")


def to_prompts(screen: PicturesQueue) -> None:
    """Goes to the Prompts screen with the prompt of the picture under the cursor."""
    picture = screen.grid.item
    if picture is None:
        return

    async def go() -> None:
        await screen.app.switch_mode(Scope.PROMPTS.value)
        prompts: PromptsScreen = screen.app.screen  # type: ignore[assignment]
        prompts.edit(picture.prompt, picture.negative)

    screen.app.call_later(go)


def settings_to_prompts(screen: PicturesQueue) -> None:
    """Shows which settings would change, changes them once that was agreed to, and goes to Prompts."""
    picture = screen.grid.item
    if picture is None:
        return
    changes = screen.try_show(lambda: settings_of(screen, picture))
    if changes is None:
        return
    if not changes:
        to_prompts(screen)
        return

    def answered(yes: bool | None) -> None:
        wanted = {f"painting.{name}": value for name, (_, value) in changes.items()}
        if yes and screen.try_show(lambda: screen.project.change(wanted)) is not None:
            to_prompts(screen)

    lines = [f"{name:<9} {_told(before)} → {_told(after)}" for name, (before, after) in changes.items()]
    screen.app.push_screen(Confirm("Use this picture's settings from now on?", "\n".join(lines)), answered)


def settings_of(screen: PicturesQueue, picture: Shown) -> dict[str, tuple[Any, Any]]:
    """What the picture was painted with otherwise than the settings say: names to before and after."""
    from engine.pictures.orders.queue import Queue

    now, order = screen.project.settings.painting, Queue(screen.store).picture(picture.id)
    told: dict[str, Any] = {"steps": picture.steps, "guidance": picture.guidance, "strength": picture.strength}
    if picture.sampler:
        told |= {"sampler": order.sampler, "schedule": order.schedule}
    if order.width and order.height:
        told |= {"width": order.width, "height": order.height}
    return {
        name: (getattr(now, name), value)
        for name, value in told.items()
        if value is not None and value != getattr(now, name)
    }


def show_parameters(screen: PicturesQueue) -> None:
    """Shows what the file says of itself."""

    def show(text: str) -> None:
        def done(copy: bool | None) -> None:
            if copy:
                _copy(screen, text)

        picture = screen.grid.item
        screen.app.push_screen(ParametersScreen(picture.name if picture else "", text), done)

    _with_parameters(screen, show)


def copy_parameters(screen: PicturesQueue) -> None:
    """Copies them, to paste into A1111 and its like."""
    _with_parameters(screen, lambda text: _copy(screen, text))


def _with_parameters(screen: PicturesQueue, then: Any) -> None:
    picture = screen.grid.item
    if picture is None:
        return

    def read() -> str | None:
        from engine.pictures.gallery.import_external import what_it_tells

        told = what_it_tells(picture.file) if picture.painted else None
        return told.text if told is not None else None

    def took(text: str | None) -> None:
        if text is None:
            screen.say(f"{sanitize(picture.name)} has no generation parameters.")
        else:
            then(text)

    screen.run_latest("told", read, took)


def _copy(screen: PicturesQueue, text: str) -> None:
    screen.app.copy_to_clipboard(text)
    screen.say("Copied its parameters.")


def export(screen: PicturesQueue) -> None:
    """Asks for a folder, and copies what is marked, else the favourites."""
    marked = screen.targets() if screen.marked else []
    favourites = [picture for picture in screen.pictures if picture.favourite and not picture.rejected]
    chosen = [picture for picture in marked or favourites if picture.painted and not picture.gone]
    if not chosen:
        screen.say("There is no favourite yet: {pictures.favourite} makes one.")
        return
    project = screen.project

    def answered(answer: tuple[str, bool] | None) -> None:
        if answer is None:
            return
        folder, metadata = Path(answer[0]), answer[1]

        def copy() -> Exported:
            from engine.pictures.gallery.export import export_pictures

            return export_pictures(project, chosen, folder, metadata)

        def copied(done: Exported) -> None:
            there = f", {len(done.there)} existed already" if done.there else ""
            failed = f", {len(done.failed)} could not be read" if done.failed else ""
            screen.say(f"{len(done.written)} copied to {folder}{there}{failed}.")

        screen.run_latest("export", copy, copied)

    what = f"Copy {many(len(chosen), 'marked picture' if marked else 'favourite')} to"
    screen.app.push_screen(ExportScreen(what), answered)


def retry(screen: PicturesQueue) -> None:
    """Queues failed and cancelled ones again."""
    states = (PictureState.FAILED, PictureState.CANCELLED)
    numbers = [picture.id for picture in screen.targets() if picture.state in states]
    project = screen.project

    def again() -> int:
        from engine.pictures.orders.start import retry_pictures

        return len(retry_pictures(project, numbers))

    def queued(count: int) -> None:
        screen.say(f"{many(count, 'picture')} queued again.")
        screen.reread()

    screen.run_queued(again, queued)


def _told(value: Any) -> str:
    return "as the base model" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
