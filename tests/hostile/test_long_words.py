"""Text from outside of twice the length takes twice the time: no parser of it takes the square, or has no end."""

from __future__ import annotations

import contextlib
import gc
import json
import time
from collections.abc import Callable, Iterator

import click
import pytest

from engine.errors import LimnerError
from tests.hostile.parsers import PARSERS
from tests.support.rows import usual

LETTERS = 10_000
"""Of the shorter text; the other has twice as many."""

FEWER = {
    "engine.dataset.captions.cleanup_rules": 2_000,
    "engine.dataset.captions.cleanup_rules, sentence": 2_000,
    "engine.prompts.attention": 3_000,
    "engine.prompts.grammar, braces": 3_000,
    "engine.prompts.axis_variation, vary": 4_000,
    "engine.prompts.to_paint": 3_000,
    "engine.prompts.prompt_editing": 4_000,
    "engine.pictures.grid.axes, prompt": 4_000,
}
"""Letters for those that do much for each."""

AT_ONCE = 0.05
"""Seconds of the processor for the longer text that need no second look: the square of 20,000 takes more."""

RATIO = 3.4
"""What doubling may cost; 2 is what it should, 4 is the square."""

Make = Callable[[int], str]


def of(unit: str, before: str = "", after: str = "") -> Make:
    """A text of one unit again and again."""
    return lambda letters: before + unit * (letters // len(unit)) + after


def nested(begin: str, end: str, inside: str = "a") -> Make:
    """Brackets in brackets."""
    return lambda letters: begin * (letters // len(begin + end)) + inside + end * (letters // len(begin + end))


def graph(letters: int) -> str:
    """A ComfyUI graph in which every node leads to all the next ones, in circles, and many samplers begin."""
    count = letters // 100
    nodes: dict[str, object] = {}
    for number in range(count):
        links = {f"in{each}": [str((number + each) % count), 0] for each in range(1, 4)}
        ends = {"positive": [str(number), 0], "negative": [str(number), 1]}
        nodes[str(number)] = {"class_type": "KSampler", "inputs": {**links, **ends}}
    return json.dumps(nodes)


def chain(letters: int) -> str:
    """A ComfyUI graph of samplers, each of which leads to the next, and text only at the end."""
    count = letters // 90
    nodes: dict[str, object] = {
        str(number): {"inputs": {"positive": [str(number + 1), 0], "negative": [str(number + 1), 1]}}
        for number in range(count)
    }
    return json.dumps({**nodes, str(count): {"inputs": {"text": "a man"}}})


EVERYWHERE = [
    *(of(unit) for unit in ("a", " ", "(", "{", "[", "<", '"', "\\", ":", "/", "@", "\n", "1", "-", "a ", "a, ")),
    of(" ", "a", "b"),
]
"""What every parser is given."""

ESPECIALLY: dict[str, list[Make]] = {
    "engine.library.address": [of("u:p@tcp("), of("a@", "//"), of("/api", "https://h"), of("u:", "", "@h/db")],
    "engine.llm.server": [of("a@", "http://"), of("[", "http://"), of("/models", "http://h")],
    "engine.llm.server, events": [of("data: {}\n"), of("data: [", "", "\n"), of('{"a":', "", ")")],
    "engine.secrets": [of("://a:"), of("://"), of("a", "://", ":b@"), of("?token="), of("//a:b@")],
    "engine.prompts.extra_networks": [
        of("<lora:"),
        of("<lora:a:1>"),
        of("<a:b> "),
        of("#\n"),
        of("a#"),
        of("<lora:", "", ">"),
    ],
    "engine.prompts.attention": [
        *(nested("(", ":1.1)"), nested("(a", ")"), nested("[a", "]"), of("(a"), of("(a:1.1) "), of("a:1.1)")),
        *(of("BREAK "), of("AND "), of("((a:1.1)"), of(":1"), of("(a:1.2.3)"), nested("(BREAK ", ")")),
    ],
    "engine.prompts.prompt_editing": [
        *(nested("[a:", ":0.5]"), nested("(a", ")"), nested("[", "|b]"), of("[a:b:0.5]"), of("[a|b]"), of("[a:")),
        *(of("[a|"), of("(x)", "[a|" + "a|" * 5_000), of("([)"), nested("[", "]"), of("a]"), nested("[a:b:", "]", "1")),
    ],
    "engine.prompts.grammar": [
        of("a|", "{", "}"),
        of("{a|b} "),
        of("b|a|", "{", "}"),
        of("__place__ "),
        of("*a", "__", "__"),
    ],
    "engine.prompts.grammar, plain": [of("a|", "{", "}"), of("{a|b} "), of("3::a|", "{2$$", "}"), of("{1$$")],
    "engine.prompts.grammar, choices": [of("a|", "{", "}"), of("{a|a} "), of("__place__ ")],
    "engine.prompts.grammar, braces": [of("{a}"), of("{a"), of("\\{")],
    "engine.prompts.to_paint": [of("(a:1.1) "), nested("(a", ")"), of("<lora:"), of("{a} ")],
    "engine.prompts.llm.answers": [
        of("<think>"),
        of("</think>"),
        of("```"),
        of('{"prompt":'),
        of('"a b",', "["),
        of("1. "),
    ],
    "engine.prompts.llm.filtering": [of("<"), of("PERSON "), of(": 1"), of("the PERSON's "), of("no ")],
    "engine.dataset.captions.models.vision_answer": [
        of("<|channel|>a"),
        of("[THINK]"),
        of("sorry. "),
        of("if you "),
        of("<think>"),
    ],
    "engine.dataset.captions.models.vision_answer, refusal": [of("I "), of("as an a "), of('{"a":')],
    "engine.dataset.captions.parts, prose": [of("a man "), of("there is a "), of("a. "), of("the a-"), of("a-")],
    "engine.dataset.captions.cleanup_rules": [of("long and "), of("long, "), of("with his "), of("light ")],
    "engine.dataset.captions.cleanup_rules, sentence": [
        of("long and "),
        of("long "),
        of("with his "),
        of("long, and "),
    ],
    "engine.dataset.captions.cleanup_rules, tag": [of("long "), of("light "), of("abc"), of("xy")],
    "engine.filter_line": [of('a"'), of('" '), of("is:"), of("px>1 "), of("-")],
    "engine.faces.selection.filter": [of('a"'), of("is:"), of("person:")],
    "engine.pictures.gallery.filter": [of('a"'), of("stars>1 "), of("-")],
    "engine.pictures.orders.png_parameters": [
        *(
            of("Steps: 1, "),
            of('Steps: "'),
            of("ab: ", "\n"),
            of("a" * 130 + " "),
            of("Negative prompt: \n"),
            of('\\"', 'ab: "'),
        ),
    ],
    "engine.pictures.gallery.found_prompts": [graph, chain, of('{"1":'), of("[")],
    "engine.pictures.gallery.found_prompts, styles": [
        of('"a\n', "name,prompt,negative_prompt\n"),
        of("a,b,c\n", "name,prompt\n"),
    ],
    "engine.pictures.grid.axes": [of("1,"), of("1-2 "), of("0.1-"), of('"a",'), of('""', '"', '"')],
    "engine.pictures.grid.axes, prompt": [of("{a|b} "), of('"a",'), of("a,"), of('""', '"', '"')],
    "engine.pictures.grid.axes, seed": [of("1,"), of("1-"), of("9")],
    "engine.pictures.grid.axes, checkpoint": [of("a,"), of("(1) "), of("1-")],
    "engine.storage.untrusted_files, TOML": [of("a."), of("[a."), of("a = 1\n"), of("[a]\n"), of("[[a]]\n"), of("a=[")],
    "engine.storage.untrusted_files, JSON": [of("["), of('{"a":'), of("9")],
    "engine.storage.toml_lines": [of("[a"), of("[ "), of("a."), of("a = 1\n"), of("[ ", "", "]")],
    "engine.lora.key_formats": [
        of("_attentions_1"),
        of("1", "lora_unet_down_blocks_"),
        of("_to_out", "lora_unet"),
    ],
    "tui.cli.paint_options": [of("a:1"), of(".safetensors:"), of("1", "a:", "!"), of(":")],
    "tui.screens.grid.screen": [of(" x "), of(' x "'), of('" x "'), of("x ")],
    "tui.terminal.responses": [of("\x1b["), of("\x1bP>|"), of("\x1b_G"), of("\x1b[6;1"), of("\x1bP>|a\x1b\\")],
    "tui.text.sanitize": [of("\x1b[0m"), of("\u202e")],
    "tui.terminal.output_filter": [of("\x1b[0m"), of("\u202e")],
    "tui.widgets.ink": [of("[b]"), of("[/]"), of("\x1b[0m")],
    "tui.theming.keymap": [of("{a.b}"), of("{a.")],
}
"""What would take one parser the square of its length."""


def test_every_special_text_belongs_to_a_parser() -> None:
    assert set(ESPECIALLY) <= set(PARSERS)


@pytest.mark.parametrize("name", usual(PARSERS, list(PARSERS)[::2]))
def test_twice_the_text_takes_no_four_times_the_time(name: str) -> None:
    letters = FEWER.get(name, LETTERS)
    texts = (*EVERYWHERE, *ESPECIALLY.get(name, ()))
    assert not [told for make in texts if (told := _too_slow(PARSERS[name], make, letters))]


def _too_slow(parse: Callable[[str], object], make: Make, letters: int) -> str:
    """What is wrong with how long a text takes; empty: nothing."""
    longer = _least(parse, make(2 * letters))
    if longer < AT_ONCE:
        return ""
    shorter = _least(parse, make(letters))
    if longer <= RATIO * shorter:
        return ""
    # Another program may have been in the way: what takes the square takes 16 times as long for four times the text.
    longest = _least(parse, make(4 * letters))
    return f"{make(60)!r}: {shorter:.3f}, {longer:.3f}, {longest:.3f} s" if longest > RATIO**2 * shorter else ""


@pytest.fixture(autouse=True)
def _no_garbage_collection() -> Iterator[None]:
    """It looks at all that was ever imported, now and then, which is no time of the parser's."""
    gc.disable()
    yield
    gc.enable()


def _least(parse: Callable[[str], object], text: str) -> float:
    """Seconds of the processor, the least of three; it is not tried again where it took no time."""
    least = float("inf")
    for each in _times(parse, text):
        least = min(least, each)
        if least < AT_ONCE:
            break
    return least


def _times(parse: Callable[[str], object], text: str) -> Iterator[float]:
    for _ in range(3):
        begun = time.process_time()
        # Refused is fine; RecursionError, OSError and all else are not.
        with contextlib.suppress(LimnerError, ValueError, click.ClickException):
            parse(text)
        yield time.process_time() - begun
