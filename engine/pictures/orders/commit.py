"""How a painted picture gets its name on disk and its place among the done, both or neither.

The file is written whole under a hidden name, which the queue is told; then it is linked to its name; then the queue
says that it is done; then the hidden name goes. Wherever a painter is killed between two of these, the next one
finds by the hidden name how far it came, and goes on from there: no picture is lost, none is painted twice.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from engine.errors import DiskFull, PictureError
from engine.pictures.orders.orders import free_path
from engine.pictures.orders.png_parameters import Parameters, png_text
from engine.pictures.orders.queue import Picture, Queue
from engine.storage.os_errors import MAKE_ROOM, is_no_room
from engine.storage.own_files import open_own

UNFINISHED = ".part"


@dataclass(frozen=True)
class Beside:
    """Another version of a picture, which lies beside it as ``NAME-WORD.png``."""

    word: str
    image: Image.Image


def commit_picture(
    queue: Queue,
    picture: Picture,
    image: Image.Image,
    about: Parameters,
    claim: str,
    seconds: float,
    beside: Beside | None = None,
) -> Path | None:
    """Writes a painted picture and marks it done. Never over something that is there.

    Args:
        queue: which holds it.
        picture: its order.
        image: what was painted.
        about: what made it.
        claim: the painter's own word.
        seconds: how long it took.
        beside: what lies beside it from then on; it gets its name from the picture, and before that is done.

    Returns:
        Where it lies; None where it was cancelled meanwhile, and nothing was kept.

    Raises:
        DiskFull: there is no room for it; once it is painted and told to be so, it waits under its hidden name for
            ``land_what_was_staged``.
        PictureError: the folder can't be written.
    """
    hidden = hidden_name(picture)
    other = _hidden_beside(hidden, beside.word) if beside else None
    staged = waits = False
    try:
        write_png(image, hidden, about)
        if beside is not None and other is not None:
            write_png(beside.image, other, about)
        wanted = free_path(picture.path)
        if not queue.stage(picture.id, hidden, wanted, claim):
            return None
        staged = True
        path = give_name(hidden, wanted)
        named = _name_beside(other, path) if other is not None else None
        if not queue.finish(picture.id, path, seconds, claim):
            for each in filter(None, (path, named)):
                each.unlink(missing_ok=True)
            return None
        return path
    except DiskFull:
        waits = staged
        raise
    except OSError as error:
        if is_no_room(error):
            waits = staged
            raise DiskFull(f"there is no room to write {picture.path} ({error.strerror})", MAKE_ROOM) from error
        raise PictureError(f"{picture.path} can't be written ({error.strerror})", "choose another folder") from error
    finally:
        for each in filter(None, () if waits else (hidden, other)):
            with contextlib.suppress(OSError):
                each.unlink()


def commit_file(queue: Queue, picture: Picture, hidden: Path, claim: str, seconds: float) -> Path | None:
    """The same for a picture that is whole in a file already: it was painted elsewhere.

    Args:
        queue: which holds it.
        picture: its order.
        hidden: the file, as ``hidden_name`` names it; it goes.
        claim: the painter's own word.
        seconds: how long it took.

    Returns:
        Where it lies; None where it was cancelled meanwhile, and nothing was kept.

    Raises:
        PictureError: the folder can't be written.
    """
    try:
        wanted = free_path(picture.path)
        if not queue.stage(picture.id, hidden, wanted, claim):
            return None
        path = give_name(hidden, wanted)
        if not queue.finish(picture.id, path, seconds, claim):
            path.unlink(missing_ok=True)
            return None
        return path
    except OSError as error:
        raise PictureError(f"{picture.path} can't be written ({error.strerror})", "choose another folder") from error
    finally:
        with contextlib.suppress(OSError):
            hidden.unlink()


def hidden_name(picture: Picture) -> Path:
    """Where a picture lies until it gets its name."""
    return picture.path.with_name(f".{picture.path.stem}.{picture.id}{UNFINISHED}")


def commit_what_was_staged(queue: Queue) -> list[Picture]:
    """Ends what a killed painter had painted but not marked done. Returns those pictures."""
    ended: list[Picture] = []
    for picture, hidden in queue.staged():
        path = _where_it_landed(hidden, picture.path)
        if path is None:
            continue
        for other in hidden.parent.glob(_escaped(hidden.name.removesuffix(UNFINISHED)) + f".*{UNFINISHED}"):
            _name_beside(other, path)
            other.unlink(missing_ok=True)
        queue.finish(picture.id, path, picture.seconds or 0.0)
        hidden.unlink(missing_ok=True)
        ended.append(queue.picture(picture.id))
    return ended


def write_picture(image: Image.Image, path: Path, about: Parameters) -> Path:
    """Writes a PNG that the queue knows nothing of, whole, where nothing lies yet. Returns the path that was taken.

    Raises:
        PictureError: the folder can't be written.
    """
    beside = path.with_name(f".{path.stem}.{os.getpid()}{UNFINISHED}")
    try:
        write_png(image, beside, about)
        return give_name(beside, path)
    except OSError as error:
        raise PictureError(f"{path} can't be written ({error.strerror})", "choose another folder") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def write_png(image: Image.Image, path: Path, about: Parameters) -> None:
    """Writes a PNG with its parameters, and waits until it is on the disk. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(open_own(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "w+b") as handle:
        image.save(handle, "PNG", pnginfo=png_text(about))
        handle.flush()
        os.fsync(handle.fileno())


def give_name(hidden: Path, path: Path) -> Path:
    """Gives a whole file its name, or the next free one. The hidden name stays where the file system has links.

    Raises:
        OSError: the folder can't be written.
    """
    while True:
        taken = free_path(path)
        try:
            # Unlike a rename, a link never replaces what somebody put there meanwhile.
            os.link(hidden, taken)
        except FileExistsError:
            continue
        except OSError:
            # A file system without links.
            os.replace(hidden, taken)
        return taken


def _hidden_beside(hidden: Path, word: str) -> Path:
    return hidden.with_name(f"{hidden.name.removesuffix(UNFINISHED)}.{word}{UNFINISHED}")


def _name_beside(other: Path, path: Path) -> Path | None:
    """Names what lies beside a picture after it; None where it has a name already."""
    if other.stat().st_nlink > 1:
        return None
    word = other.name.removesuffix(UNFINISHED).rpartition(".")[2]
    return give_name(other, path.with_name(f"{path.stem}-{word}{path.suffix}"))


def _where_it_landed(hidden: Path, path: Path) -> Path | None:
    """The name that a staged file has, given now if it had none; None where the file is gone."""
    if not hidden.exists():
        # Without links it was renamed; with them somebody deleted it.
        return path if path.exists() else None
    if hidden.stat().st_nlink > 1:
        for candidate in path.parent.glob(f"{_escaped(path.stem)}*{path.suffix}"):
            if candidate.samefile(hidden):
                return candidate
    return give_name(hidden, path)


def _escaped(stem: str) -> str:
    """A name in which glob's own letters mean themselves."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in stem)
