"""What the Dataset screen writes: images, tags and findings as lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tui.widgets.ink import Ink, Line

if TYPE_CHECKING:
    from PIL.Image import Image

    from engine.dataset.captions.bulk_edits import Step, TagCount
    from engine.dataset.files.layout import TrainingImage
    from engine.dataset.readiness import Finding


def open_picture(path: Path) -> Image:
    """A picture of ours, for the screen. For threads."""
    from engine.faces.photo.loading import open_header

    with open_header(path) as picture:
        return picture.convert("RGB")


def picture_key(path: Path) -> tuple[str, int]:
    """What tells one state of a file from another."""
    try:
        return str(path), path.stat().st_mtime_ns
    except OSError:
        return str(path), 0


def image_line(image: TrainingImage, width: int) -> Line:  # noqa: ARG001
    """An image's row: its number, whether it was enlarged, its caption."""
    grown: tuple[str, Ink] = ("↑", Ink.ATTENTION) if image.upscaled else (" ", Ink.PLAIN)
    words = (image.caption, Ink.PLAIN) if image.caption else ("no caption yet", Ink.ATTENTION)
    return [(f" {image.path.stem:<5}", Ink.MUTED), grown, (" ", Ink.PLAIN), words]


def image_facts(image: TrainingImage) -> Line:
    """What is known about an image, in one line."""
    size = f"{image.width:,} × {image.height:,} px"
    if image.source_px is None:
        return [(f"{size} · ", Ink.MUTED), ("added by hand", Ink.MUTED)]
    if image.upscaled:
        return [
            (f"face {image.face_id} · ", Ink.MUTED),
            (f"↑ enlarged from {image.source_px:,} px", Ink.ATTENTION),
        ]
    return [(f"face {image.face_id} · cut from {image.source_px:,} px", Ink.MUTED)]


def tag_line(count: TagCount, width: int) -> Line:  # noqa: ARG001
    """A tag's row: in how many images, and its words."""
    return [(f"{count.images:>5,}  ", Ink.MUTED), (count.tag, Ink.PLAIN)]


def token_words(tokens: int | None, room: int) -> str:
    """``caption · 14 of 75 tokens``; without the number where the base model's tokenizer is not here."""
    return "caption" if tokens is None else f"caption · {tokens} of {room} tokens"


def findings_line(found: list[Finding]) -> Line:
    """The worst of what is missing, how many more there are, and the action that lists them, in braces."""
    if not found:
        return [("✓ ", Ink.GOOD), ("nothing is missing before training", Ink.MUTED)]
    mark = ("✗ ", Ink.BAD) if found[0].stops else ("! ", Ink.ATTENTION)
    line: Line = [mark, (found[0].line, Ink.ATTENTION)]
    if len(found) > 1:
        line.append((f"   {len(found) - 1} more: {{dataset.missing}}", Ink.MUTED))
    return line


def finding_line(found: Finding, width: int) -> Line:  # noqa: ARG001
    """A finding's row."""
    mark = ("✗ ", Ink.BAD) if found.stops else ("! ", Ink.ATTENTION)
    return [(" ", Ink.PLAIN), mark, (found.line, Ink.PLAIN)]


def step_line(step: Step, width: int) -> Line:  # noqa: ARG001
    """A change's row: what comes in and what goes, then the caption as it would be."""
    before, after = ([part.strip() for part in text.split(",")] for text in (step.before, step.after))
    line: Line = [(f" {Path(step.image).stem:<5} ", Ink.MUTED)]
    gone = [part for part in before if part not in after]
    new = [part for part in after if part not in before]
    line += [(f"− {part}  ", Ink.BAD) for part in gone] + [(f"+ {part}  ", Ink.GOOD) for part in new]
    return [*line, (step.after, Ink.MUTED)]
