"""``limner prompt``, as it is typed."""

from __future__ import annotations

import sys

import pytest
from conftest import Run

from engine.project import Project


def test_show_takes_a_prompt_apart_as_json(run: Run, project: Project) -> None:
    project.change({"base.model": "demo"})
    told = run("prompt", "show", "{trigger} {class}, (smiling:1.3) [red:blue:0.5] shirt", "--steps", 4, "--json")
    assert told.code == 0
    assert told.err == ""
    record = told.record
    assert record["attention"] == [["jx265 man, ", 1.0], ["smiling", 1.3], [" blue shirt", 1.0]]
    assert [until for until, _ in record["schedule"]] == [2, 4]
    assert "red shirt" in record["schedule"][0][1]
    assert record["loras"] == record["warnings"] == []
    assert [chunk["tokens"] for chunk in record["chunks"]] == [record["tokens"]]


def test_show_names_unknown_loras_and_their_weights(run: Run, project: Project) -> None:
    record = run("prompt", "show", "a <lora:nobody:0.8:0.5>", "--json").record
    assert record["loras"] == [{"name": "nobody", "te": 0.8, "unet": 0.5}]
    assert "no LoRA of this project is called nobody" in record["warnings"][0]
    assert record["chunks"] == []


def test_show_for_people_puts_warnings_on_standard_error(run: Run) -> None:
    told = run("prompt", "show", "a (time 12:30)")
    assert told.code == 0
    assert "×30     time 12" in told.out
    assert told.err.startswith("character 11: a weight of 30")


@pytest.mark.parametrize("words", [("show",), ("show", "a", "--steps", "0"), ("show", "a", "--steps", "x"), ("shw",)])
def test_wrong_use_is_status_2(run: Run, words: tuple[str, ...]) -> None:
    told = run("prompt", *words)
    assert (told.code, told.out) == (2, "")


def test_show_needs_neither_torch_nor_transformers(run: Run, project: Project) -> None:
    import subprocess

    project.change({"base.model": "demo"})
    code = (
        "import sys\nfrom tui.cli import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'transformers', 'textual'} & set(sys.modules)), file=sys.stderr)\n"
    )
    arguments = ["-C", str(project.root), "prompt", "show", "a man", "--json"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert '"tokens": 2' in done.stdout
    assert done.stderr == "[]\n"
