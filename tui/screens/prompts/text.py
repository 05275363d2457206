"""What the Prompts screen draws: a prompt taken apart, what may vary, variations with what is new in them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.counting import many
from engine.errors import PromptError
from engine.pictures.gallery.lora_choice import LoraChoice
from engine.prompts.axes import NAMES
from engine.prompts.axis_variation import Size, parts_of
from engine.prompts.breakdown import Breakdown
from engine.prompts.shared_prompts import SharedPrompt
from engine.prompts.store import Mark, Prompt
from tui.theming.keymap import AS_THEY_COME, Keymap, key_of
from tui.widgets.ink import Ink, Line, cut, text_of

MARKS: dict[Mark, tuple[str, Ink]] = {
    Mark.KEPT: ("✓", Ink.GOOD),
    Mark.DROPPED: ("✗", Ink.BAD),
    Mark.NONE: ("·", Ink.FAINT),
}


@dataclass(frozen=True)
class Variant:
    """A line of the list: a prompt, what was said about it, and the prompt that it came from."""

    text: str
    parent: str = ""
    mark: Mark = Mark.NONE
    id: int | None = None
    """Its number on the shelf."""
    distance: float | None = None
    """From its parent, 0 to 1."""


@dataclass(frozen=True)
class PromptParams:
    """What painting uses besides the prompt."""

    seeds: int = 1
    strength: float = 1.0
    checkpoint: Path | None = None
    """What is painted with; None: the base model alone."""
    chosen: LoraChoice | None = None
    """What was chosen by hand; None: always the newest checkpoint."""


@dataclass(frozen=True)
class Choice:
    """What varies, how much, and by what."""

    axes: frozenset[str] = frozenset(("place", "light", "clothes"))
    size: Size = Size.MEDIUM
    by_model: bool = False
    locked: frozenset[str] = frozenset()
    """Parts of prompts that stay; those that are not in the prompt at hand mean nothing to it."""
    model: str | None = None


def changed_pieces(text: str, parent: str, plain: Ink) -> Line:
    """A prompt with what is new against its parent set off, part by part (parts end at commas)."""
    if not parent:
        return [(text, plain)]
    parts, before = parts_of(text), parts_of(parent)
    line: Line = []
    for tag, _, _, start, end in difflib.SequenceMatcher(None, before, parts, autojunk=False).get_opcodes():
        for at in range(start, end):
            line.append((parts[at] + (", " if at < len(parts) - 1 else ""), plain if tag == "equal" else Ink.ACTIVE))
    return line


def variant_line(variant: Variant, width: int) -> Line:
    """A variation's row: its mark, its distance, and the prompt with what changed set off."""
    sign, ink = MARKS[variant.mark]
    plain = Ink.MUTED if variant.mark is Mark.DROPPED else Ink.PLAIN
    far = "    " if variant.distance is None else f"{variant.distance:.2f}".replace("0.", ".", 1).rjust(4)
    pieces = changed_pieces(variant.text, variant.parent, plain)
    # What both begin with says nothing; where there is little room, what is new is shown.
    if width < 100 and variant.parent and len(text_of(pieces)) > width - 8 and pieces[0][1] is plain:
        pieces = [("… ", Ink.MUTED), *pieces[1:]]
    return cut([(f"{sign} ", ink), (f"{far}  ", Ink.MUTED), *pieces], width)


def params_line(params: PromptParams, known: bool = True) -> Line:
    """``2 seeds each · jx265-000008 at 0.80``; whether there is a checkpoint is told once that is ``known``."""
    seeds: Line = [(many(params.seeds, "seed"), Ink.STRONG), (" each · " if known else " each", Ink.MUTED)]
    if not known:
        return seeds
    if params.chosen is not None and params.checkpoint is None:
        return [*seeds, ("no LoRA: the base model alone", Ink.ACTIVE)]
    if params.checkpoint is None:
        return [*seeds, ("no LoRA trained yet: the base model alone", Ink.ATTENTION)]
    return [*seeds, (params.checkpoint.stem, Ink.STRONG), (" at ", Ink.MUTED), (f"{params.strength:.2f}", Ink.STRONG)]


def breakdown_line(found: Breakdown | PromptError | None, width: int, locked: Sequence[str] = ()) -> Line:
    """``14 of 75 tokens · locked: navy suit · studio light ×1.2``, and the first thing that is odd."""
    if found is None:
        return []
    if isinstance(found, PromptError):
        return cut([("! ", Ink.ATTENTION), (found.one_line(), Ink.ATTENTION)], width)
    said: list[str] = []
    if found.chunks:
        room = found.room * len(found.chunks)
        said.append(f"{found.tokens} of {room} tokens")
        if len(found.chunks) > 1:
            said.append(f"{len(found.chunks)} chunks")
    if locked:
        said.append(f"locked: {', '.join(locked)}")
    for piece in found.attention:
        if not piece.is_break and round(piece.weight, 3) != 1 and piece.text.strip():
            said.append(f"{' '.join(piece.text.split())} ×{piece.weight:.3g}")
    if len(found.schedule) > 1:
        first = found.schedule[0].until
        said.append("changes every step" if len(found.schedule) == found.steps else f"changes after step {first}")
    said += [f"{lora.name} at {lora.unet:g}" for lora in found.loras]
    line: Line = [(" · ".join(said), Ink.MUTED)]
    if found.warnings:
        gap = " · " if said else ""
        line = [("! ", Ink.ATTENTION), (found.warnings[0], Ink.ATTENTION), (gap, Ink.MUTED), *line]
    return cut(line, width)


def choice_line(choice: Choice, width: int, keymap: Keymap = AS_THEY_COME) -> Line:
    """``vary P✓place L✓light O·clothes …   z medium   m grammar``: each key before what it changes."""
    roomy = width >= 100
    line: Line = [("vary  " if roomy else "", Ink.MUTED)]
    for axis in NAMES:
        chosen = axis in choice.axes
        name = axis if roomy or axis != "expression" else "look"
        line += [
            (key_of(f"prompts.{axis}", keymap) or "", Ink.ACTIVE),
            ("✓" if chosen else "·", Ink.GOOD if chosen else Ink.FAINT),
            (f"{name} ", Ink.STRONG if chosen else Ink.MUTED),
        ]
    line += [(f"  {key_of('prompts.size', keymap)} ", Ink.ACTIVE), (f"{choice.size.value:<6}", Ink.STRONG)]
    engine = (choice.model or "model") if choice.by_model else "grammar"
    return cut([*line, (f"  {key_of('prompts.engine', keymap)} ", Ink.ACTIVE), (engine, Ink.STRONG)], width)


def family_line(entry: tuple[int, Prompt], width: int) -> Line:
    """A prompt in the tree: its depth, its mark, what is new in it, its stars."""
    depth, prompt = entry
    sign, ink = MARKS[prompt.mark]
    stars = f"{prompt.stars:.1f}★ " if prompt.stars else ""
    indent = "  " * min(depth - 1, 12) + "└ " if depth else ""
    plain = Ink.MUTED if prompt.mark is Mark.DROPPED else Ink.PLAIN
    return cut([(indent, Ink.FAINT), (f"{sign} ", ink), (stars, Ink.ATTENTION), (prompt.text, plain)], width)


def library_line(prompt: SharedPrompt, width: int) -> Line:
    """A prompt of the library: its name and stars, and what it says."""
    said = prompt.text or f"not: {prompt.negative}"
    stars = f"{prompt.rating}★" if prompt.rating else ""
    name = min(26, max(14, width // 3))
    return cut(
        [
            (f"{prompt.name[:name]:<{name}} ", Ink.STRONG),
            (f"{stars:>2} ", Ink.ATTENTION),
            (said, Ink.PLAIN if prompt.text else Ink.MUTED),
        ],
        width,
    )


def to_paint(variants: Sequence[Variant], cursor: Variant | None) -> list[Variant]:
    """What Enter paints: what is kept, else the line under the cursor."""
    kept = [variant for variant in variants if variant.mark is Mark.KEPT]
    return kept or ([cursor] if cursor is not None else [])


def list_title(variants: Sequence[Variant], note: str) -> str:
    """``12 variations · 3 kept · 3 dropped: 2 alike another``."""
    kept = sum(variant.mark is Mark.KEPT for variant in variants)
    said = [many(len(variants), "prompt"), *([f"{kept} kept"] if kept else []), *([note] if note else [])]
    return " · ".join(said)
