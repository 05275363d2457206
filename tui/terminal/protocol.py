"""How pictures can be drawn in a terminal, and which way is taken: told by what it answered, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tui.terminal.multiplexer import Tmux
from tui.terminal.responses import Answers

VARIABLE = "LIMNER_PICTURES"
"""The environment variable that says how pictures are drawn, whatever the terminal answers."""

PLACEHOLDERS = ("kitty", "ghostty")
"""Terminals with Kitty's Unicode placeholders. Konsole, WezTerm and Warp say yes to Kitty's query and lack them."""

PASSTHROUGH_FIX = "tmux set -g allow-passthrough on"


class Protocol(StrEnum):
    """How pictures are drawn."""

    HALF_BLOCKS = "half-blocks"
    KITTY = "kitty"
    SIXEL = "sixel"


@dataclass(frozen=True)
class Choice:
    """The way that is taken, and why."""

    protocol: Protocol
    why: str
    fix: str = ""
    """The exact command that gets sharper pictures; empty where there is none."""
    through_tmux: bool = False
    """Whether what is sent must be wrapped for tmux to hand it on."""


def choose(
    answers: Answers, tmux: Tmux | None, environment: Mapping[str, str], wanted: str = "auto", colours: bool = True
) -> Choice:
    """Decides how pictures are drawn.

    Args:
        answers: what the terminal said, so far.
        tmux: what tmux says of itself and the terminals behind it; None outside of it.
        environment: where ``LIMNER_PICTURES`` overrides all else.
        wanted: the setting: ``auto`` or a protocol's name.
        colours: whether true colours reach the terminal; Kitty's placeholders carry the picture's number in them.
    """
    asked_for = environment.get(VARIABLE, "").strip().lower() or wanted
    inside = tmux is not None
    if asked_for in [protocol.value for protocol in Protocol]:
        told = f"{VARIABLE} says so" if environment.get(VARIABLE) else "the settings say so"
        return Choice(Protocol(asked_for), told, through_tmux=inside)
    if tmux is not None:
        return _behind_tmux(answers, tmux, colours)
    name = answers.name or "the terminal"
    if answers.kitty and answers.brand in PLACEHOLDERS:
        if colours:
            return Choice(Protocol.KITTY, f"{name} has Kitty's placeholders")
        return Choice(Protocol.HALF_BLOCKS, f"{name} could, but true colours are off", "export COLORTERM=truecolor")
    if answers.sixel:
        return Choice(Protocol.SIXEL, f"{name} draws sixel")
    if not answers.done:
        return Choice(Protocol.HALF_BLOCKS, "the terminal has not answered")
    return Choice(Protocol.HALF_BLOCKS, f"{name} has neither Kitty's placeholders nor sixel")


def _behind_tmux(answers: Answers, tmux: Tmux, colours: bool) -> Choice:
    """Inside tmux what counts is every terminal attached to it, and whether tmux hands pictures on."""
    brands = {name.split()[0].split("(")[0].lower() for name in tmux.terminals if name.split()}
    if brands and brands <= set(PLACEHOLDERS):
        who = " and ".join(sorted(tmux.terminals))
        if not tmux.passthrough:
            return Choice(Protocol.HALF_BLOCKS, f"{who} could, but tmux passes nothing through", PASSTHROUGH_FIX)
        if not tmux.colours:
            fix = "tmux set -as terminal-features ',*:RGB'"
            return Choice(Protocol.HALF_BLOCKS, f"{who} could, but tmux mixes the colours", fix)
        if colours:
            return Choice(Protocol.KITTY, f"{who} behind tmux has Kitty's placeholders", through_tmux=True)
        return Choice(Protocol.HALF_BLOCKS, f"{who} could, but true colours are off", "export COLORTERM=truecolor")
    if answers.sixel:
        return Choice(Protocol.SIXEL, f"tmux {tmux.version} draws sixel")
    return Choice(Protocol.HALF_BLOCKS, f"tmux {tmux.version} in {', '.join(tmux.terminals) or 'a terminal'}")
