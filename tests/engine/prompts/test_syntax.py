"""A1111's prompt syntax: its own examples, its faults told, and that no text whatever is refused."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from engine.errors import PromptError
from engine.models.locate import find_base
from engine.prompts.attention import LARGEST, parse_attention
from engine.prompts.breakdown import chunk_text, refuse_what_cannot_be_painted, take_apart
from engine.prompts.extra_networks import strip
from engine.prompts.prompt_editing import parse_schedule
from engine.prompts.tokenizer import _read, find_words
from engine.settings import BaseSettings

FRAGMENTS = (
    *"()[]:|\\<>#{}=.,'\"\n\0 aé人🙂-+0129",
    *(
        ":1.2)",
        "(a:1.3)",
        ":0.5]",
        "[a:b:3]",
        "[x|y]",
        "BREAK",
        " BREAK ",
        "AND",
        "<lora:x:0.8>",
        "<lora:y:te=1:unet=b>",
    ),
    *(
        ":1e999]",
        ":1.2.3)",
        ":" + "9" * 400 + ")",
        "\\(",
        "\\",
        "((((",
        "]]]]",
        "portrait of a man",
        ", ",
        ":.)",
        ":-3]",
    ),
)


def nonsense(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(FRAGMENTS, k=chance.randrange(1, 24))) for _ in range(count)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("normal text", [("normal text", 1)]),
        ("an (important) word", [("an ", 1), ("important", 1.1), (" word", 1)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        (r"\(literal\]", [("(literal]", 1)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                *(("a ", 1), ("house", 1.573), (" ", 1.1), ("on", 1), (" a ", 1.1), ("hill", 0.55)),
                *((", sun, ", 1.1), ("sky", 1.4641), (".", 1.1)),
            ],
        ),
        ("", [("", 1)]),
        ("a) b]", [("a) b]", 1)]),
        ("[a]", [("a", 1 / 1.1)]),
        ("(a: 1.5 )", [("a", 1.5)]),
        ("(a:-0.5)", [("a", -0.5)]),
        ("a:1.5)", [("a:1.5)", 1)]),
        (r"a\b \\ c", [("ab \\ c", 1)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("a BREAK b", [("a", 1), ("BREAK", -1), ("b", 1)]),
        ("(a BREAK b:1.3)", [("a", 1.3), ("BREAK", -1), ("b", 1.3)]),
        ("(a BREAK b:-1)", [("a", -1), ("BREAK", -1), ("b", -1)]),
        ("BREAKFAST", [("BREAKFAST", 1)]),
    ],
)
def test_weights_are_those_of_a1111(text: str, wanted: list[tuple[str, float]]) -> None:
    pieces = parse_attention(text)[0]
    assert [piece.text for piece in pieces] == [text for text, _ in wanted]
    assert [piece.weight for piece in pieces] == pytest.approx([weight for _, weight in wanted])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("test", [(10, "test")]),
        ("a [b:3]", [(3, "a "), (10, "a b")]),
        ("a [b: 3]", [(3, "a "), (10, "a b")]),
        ("a [[[b]]:2]", [(2, "a "), (10, "a [[b]]")]),
        ("[(a:2):3]", [(3, ""), (10, "(a:2)")]),
        ("a [b : c : 1] d", [(1, "a b  d"), (10, "a  c  d")]),
        ("a[b:[c:d:2]:1]e", [(1, "abe"), (2, "ace"), (10, "ade")]),
        ("a [unbalanced", [(10, "a [unbalanced")]),
        ("a [b:.5] c", [(5, "a  c"), (10, "a b c")]),
        ("((a][:b:c [d:3]", [(3, "((a][:b:c "), (10, "((a][:b:c d")]),
        ("[a|(b:1.1)]", [(step, "a" if step % 2 else "(b:1.1)") for step in range(1, 11)]),
        ("[fe|]male", [(step, "female" if step % 2 else "male") for step in range(1, 11)]),
        ("[fe|||]male", [(step, "female" if step % 4 == 1 else "male") for step in range(1, 11)]),
        ("[a::4]", [(4, "a"), (10, "")]),
        ("[a:b:0]", [(10, "b")]),
        ("[a:b:99]", [(10, "a")]),
        ("[a:b:1e999]", [(10, "a")]),
        ("[a:b:-3]", [(10, "b")]),
        ("[a:b:0.29]", [(2, "a"), (10, "b")]),
        ("[a:b]", [(10, "[a:b]")]),
        ("[(a:b:c):d:3]", [(10, "[(a:b:c):d:3]")]),
        (r"[a\:b:c:3]", [(3, r"a\:b"), (10, "c")]),
        ("a | [b:3]", [(10, "a | [b:3]")]),
        ("(a|b) [c:3]", [(10, "(a|b) [c:3]")]),
        ("[a:3] \\", [(10, "[a:3] \\")]),
    ],
)
def test_schedules_are_those_of_a1111(text: str, wanted: list[tuple[int, str]]) -> None:
    assert [(each.until, each.text) for each in parse_schedule(text, 10)[0]] == wanted


def test_a_second_pass_counts_on() -> None:
    assert [(each.until, each.text) for each in parse_schedule("a [b:.5] c", 10, 10)[0]] == [(10, "a b c")]
    later = [(5, "a  c"), (10, "a b c")]
    assert [(each.until, each.text) for each in parse_schedule("a [b:1.5] c", 10, 10)[0]] == later
    assert [(each.until, each.text) for each in parse_schedule("a [b:15] c", 10, 10)[0]] == later


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("a (time 12:30)", 11, "a weight of 30 is probably a mistake"),
        ("a (b:-1)", 5, "a weight of -1 is probably a mistake"),
        ("(a:1.2.3)", 3, "1.2.3 is not a number"),
        ("ab (c", 4, "( is never closed"),
        ("ab [c", 4, "[ is never closed"),
        ("<lora:x:0.8> (a:9)", 16, "a weight of 9"),
        ("# note\n(a:9)", 10, "a weight of 9"),
        ("a, #ff0000", 4, "is a comment"),
        ("a | [b:3]", 3, "turns off every schedule of this prompt"),
        ("a AND b", 3, "AND joins prompts"),
        ("<hypernet:x:1>", 1, "is not supported"),
        ("a <lora:x:much>", 3, "'much' is not a valid LoRA weight"),
        ("a <lora:x:40>", 3, "'40' is not a valid LoRA weight"),
        ("a <lora::1>", 3, "names no LoRA"),
        ("a <lora:nobody:1>", 3, "no LoRA of this project is called nobody"),
    ],
)
def test_what_was_hardly_meant_is_told_with_its_place(text: str, at: int, says: str) -> None:
    remarks = [str(remark) for remark in take_apart(text, 10, known_loras={"x"}).remarks]
    assert any(remark.startswith(f"character {at}: ") and says in remark for remark in remarks), remarks


@pytest.mark.parametrize("text", ["a man", "(a:1.2) [b]", "[a:b:0.5] [c|d]", r"\(a\)", "a <lora:x:0.8>", "a BREAK b"])
def test_an_ordinary_prompt_has_no_remarks(text: str) -> None:
    assert take_apart(text, 10, known_loras={"x"}).remarks == ()


def test_loras_have_a_weight_for_the_text_and_one_for_the_picture() -> None:
    found = strip("a <lora:x> b <lora:y:0.8> <lora:z:0.8:0.5> <lora:w:te=0.1:unet=0.2> <lora:v:0.3:dyn=4>")
    assert [(each.name, each.te, each.unet) for each in found.loras] == [
        *(("x", 1, 1), ("y", 0.8, 0.8), ("z", 0.8, 0.5), ("w", 0.1, 0.2), ("v", 0.3, 0.3)),
    ]
    assert found.text == "a  b    "


def test_a_prompt_with_a_fatal_remark_is_refused_in_one_line() -> None:
    refuse_what_cannot_be_painted(take_apart("a (time 12:30)", 10))
    with pytest.raises(PromptError, match="character 3 of the prompt: 'much' is not a valid LoRA weight"):
        refuse_what_cannot_be_painted(take_apart("a <lora:x:much>", 10))


def test_long_prompts_are_split_into_chunks_of_75_tokens_at_commas() -> None:
    words = find_words(find_base(BaseSettings(model="demo")))
    assert words is not None
    long = ", ".join(["portrait of a man in a blue shirt"] * 12)
    chunks = take_apart(long, 10, words).chunks
    assert len(chunks) == 2
    assert all(len(chunk.tokens) <= 75 for chunk in chunks)
    assert chunk_text(chunks[0]).endswith(",")
    assert chunk_text(chunks[1]).startswith("portrait")
    assert " ".join(chunk_text(chunk) for chunk in chunks).split() == long.split()
    assert [len(chunk.tokens) for chunk in take_apart("man BREAK man", 10, words).chunks] == [1, 1]
    assert [len(chunk.tokens) for chunk in take_apart("", 10, words).chunks] == [0]
    assert [len(each.tokens) for each in take_apart("man " * 76, 10, words).chunks] == [75, 1]
    assert take_apart("[man|man man]", 10, words).tokens == 2


@pytest.mark.long
def test_ten_thousand_random_texts_are_all_understood() -> None:
    words = find_words(find_base(BaseSettings(model="demo")))
    for number, text in enumerate(nonsense(10_000, seed=1)):
        found = take_apart(text, 7, words if number % 20 == 0 else None, {"x"})
        record = json.dumps(found.record(), allow_nan=False)
        assert record
        assert all(math.isfinite(piece.weight) and abs(piece.weight) <= LARGEST for piece in found.attention)
        assert found.schedule[-1].until == 7
        assert [each.until for each in found.schedule] == sorted({each.until for each in found.schedule})
        assert all(0 <= remark.at <= len(text) for remark in found.remarks)


def test_hundreds_of_nested_brackets_are_quick() -> None:
    for text in (
        "(" * 2000 + "a",
        "[" * 2000 + "a" + "]" * 2000,
        "[" * 900 + "a" + ":1]" * 900,
        "[a|" * 900 + "]" * 900,
    ):
        assert take_apart(text, 3).schedule


def test_a_tokenizer_in_two_files_counts_as_the_one_in_one_file(tmp_path: Path) -> None:
    source = Path(find_base(BaseSettings(model="demo")).source)
    one = json.loads((source / "tokenizer" / "tokenizer.json").read_text("utf-8"))["model"]
    folder = tmp_path / "base" / "tokenizer"
    folder.mkdir(parents=True)
    (tmp_path / "base" / "model_index.json").write_text("{}")
    (folder / "vocab.json").write_text(json.dumps(one["vocab"]), "utf-8")
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in one["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]), "utf-8")
    first, second = (find_words(find_base(BaseSettings(model=str(each)))) for each in (source, tmp_path / "base"))
    assert first is not None
    assert second is not None
    for text in ("photo of jx265 man, it's 42", "  Two\n words ", "é!? ...", ""):
        assert [word.id for word in first.of(text)] == [word.id for word in second.of(text)]
    (folder / "vocab.json").write_text("{")
    _read.cache_clear()
    assert find_words(find_base(BaseSettings(model=str(tmp_path / "base")))) is None
