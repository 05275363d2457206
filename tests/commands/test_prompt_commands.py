"""``limner prompt``, as it is typed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.pictures.gallery.found_prompts import read_graph
from engine.project import Project
from engine.prompts.breakdown import take_apart
from engine.prompts.grammar import fill, variations
from engine.prompts.shared_prompts import shared_path
from engine.prompts.store import PromptStore
from engine.settings import PersonSettings
from tests.commands.conftest import Run


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
        "import sys\nfrom tui.cli.main import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'transformers', 'textual'} & set(sys.modules)), file=sys.stderr)\n"
    )
    arguments = ["-C", str(project.root), "prompt", "show", "a man", "--json"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert '"tokens": 2' in done.stdout
    assert done.stderr == "[]\n"


def test_a_prompt_is_kept_rated_listed_and_dropped(run: Run) -> None:
    added = run("prompt", "add", "portrait of {trigger} {class}", "--tag", "studio", "--name", "mine", "--json")
    number = added.record["prompts"][0]["id"]
    assert run("prompt", "rate", number, 4).out == "4 of 5\n"
    (listed,) = run("prompt", "list", "--from", "project", "--json").record["prompts"]
    assert (listed["id"], listed["stars"], listed["tags"], listed["name"]) == (number, 4, ["studio"], "mine")
    assert run("prompt", "rate", "--", number, -1).out == "dropped\n"
    assert run("prompt", "list", "--from", "project", "--json").record == {"prompts": []}


def test_a_shared_prompt_is_there_in_every_project_and_comments_stay(run: Run, tmp_path: Path) -> None:
    run("prompt", "add", "a {class} on the moon", "--shared")
    file = shared_path()
    file.write_text("# mine\n" + file.read_text("utf-8"), "utf-8")
    run("prompt", "add", "a {class} on the moon", "--shared")
    run("prompt", "add", "", "--negative", "blurry", "--shared")
    assert file.read_text("utf-8").startswith("# mine\n")
    (tmp_path / "empty").mkdir()
    found = run("-C", tmp_path / "empty", "prompt", "list", "--from", "shared", "--json").record["prompts"]
    assert [(each["text"], each["negative"]) for each in found] == [("a {class} on the moon", ""), ("", "blurry")]
    file.write_text("[[prompts]]\ntext = 3\n", "utf-8")
    assert "prompts.0.text is invalid" in run("prompt", "list").failure
    file.write_text("[[prompts]\n", "utf-8")
    assert "is not valid TOML" in run("prompt", "list").failure


def test_the_starter_prompts_are_thirty_and_all_can_be_painted(run: Run) -> None:
    found = run("prompt", "list", "--from", "starter", "--json").record["prompts"]
    positive = [each for each in found if each["text"]]
    assert len(positive) >= 30
    assert len([each for each in found if not each["text"] and each["negative"]]) == 3
    assert len({each["text"] for each in positive}) == len(positive)
    tags = {tag for each in found for tag in each["tags"]}
    assert {"corporate", "studio", "outdoors", "film", "black and white", "painting", "comic", "cinematic"} <= tags
    for each in positive:
        assert each["text"].count("{trigger} {class}") == 1
        assert take_apart(each["text"], 30).remarks == ()
        filled = variations(fill(each["text"], PersonSettings(trigger="jx265", class_word="man")), 1, 0)[0]
        assert len(filled.split()) < 40
    studio = run("prompt", "list", "--tag", "studio", "--json").record["prompts"]
    assert studio
    assert all("studio" in each["tags"] for each in studio)


def test_styles_and_pictures_of_other_programs_are_imported(run: Run, tmp_path: Path) -> None:
    styles = tmp_path / "styles.csv"
    styles.write_text(
        "\ufeffname,prompt,negative_prompt\n"
        'Film,"analog film photo {prompt}, grain",cartoon\nNoir,"black and white, {broken",\nNot,,"blurry, ugly"\n',
        "utf-8",
    )
    found = run("prompt", "import", styles, "--json").record["prompts"]
    assert [(each["name"], each["text"], each["negative"]) for each in found] == [
        ("Film", "analog film photo {trigger} {class}, grain", "cartoon"),
        ("Noir", r"portrait of {trigger} {class}, black and white, \{broken", ""),
        ("Not", "", "blurry, ugly"),
    ]
    info = PngInfo()
    info.add_text(
        "parameters", "photo of jx265 man, (sun:1.2) <lora:x:1>\nNegative prompt: fog\nSteps: 20, Seed: 1, Size: 8x8"
    )
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    told = run("prompt", "import", tmp_path / "a.png", "--json")
    assert [(each["text"], each["negative"]) for each in told.record["prompts"]] == [
        ("photo of {trigger} {class}, (sun:1.2)", "fog")
    ]
    assert told.err == "a: left out the LoRA x\n"


def graph(**nodes: Any) -> str:
    return json.dumps({key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            graph(
                a=("KSampler", {"seed": 1, "positive": ["b", 0], "negative": ["c", 0]}),
                b=("CLIPTextEncode", {"text": "a man", "clip": ["d", 1]}),
                c=("CLIPTextEncode", {"text": "fog", "clip": ["d", 1]}),
                d=("CheckpointLoaderSimple", {"ckpt_name": "x.safetensors"}),
            ),
            ("a man", "fog"),
        ),
        (
            graph(
                a=("KSamplerAdvanced", {"positive": ["n", 0], "negative": ["n", 1]}),
                n=("ControlNetApplyAdvanced", {"positive": ["m", 0], "negative": ["c", 0], "image": ["x", 0]}),
                m=("ConditioningCombine", {"conditioning_1": ["b", 0], "conditioning_2": ["e", 0]}),
                b=("CLIPTextEncodeSDXL", {"text_g": "a man", "text_l": "a man", "width": 1024}),
                e=("CLIPTextEncode", {"text": ["p", 0]}),
                p=("PrimitiveString", {"value": "in rain"}),
                c=("CLIPTextEncode", {"text": "fog"}),
                x=("LoadImage", {"image": "y.png"}),
            ),
            ("a man, in rain", "fog"),
        ),
        (
            graph(
                g=("BasicGuider", {"model": ["m", 0], "conditioning": ["f", 0]}),
                f=("FluxGuidance", {"guidance": 3.5, "conditioning": ["b", 0]}),
                b=("CLIPTextEncode", {"text": "a man"}),
            ),
            ("a man", ""),
        ),
        (graph(a=("KSampler", {"positive": ["a", 0], "negative": ["zz", 0]})), ("", "")),
        ("{", ("", "")),
        ("[1]", ("", "")),
        ('{"1": {"inputs": {"positive": [[], 0], "negative": [{}, 0]}}, "2": 3}', ("", "")),
    ],
)
def test_a_comfyui_graph_is_followed_from_its_sampler_to_its_texts(text: str, wanted: tuple[str, str]) -> None:
    assert read_graph(text) == wanted


def test_what_holds_no_prompt_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "bare.png")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "latin.csv").write_bytes(b"name,prompt,negative_prompt\nx,\xe9,\n")
    for name, says in {
        "bare.png": "holds no prompt",
        "text.png": "not a picture",
        "other.csv": "is not A1111's styles.csv",
        "empty.csv": "is not A1111's styles.csv",
        "latin.csv": "save it as UTF-8",
        "none.png": "there is no",
    }.items():
        assert says in run("prompt", "import", tmp_path / name).failure
    for words in (("add", ""), ("rate", "99", "3")):
        assert run("prompt", *words).failure
    for words in (("rate", "1", "6"), ("import",), ("list", "--from", "nowhere")):
        assert run("prompt", *words).code == 2


def test_variations_of_the_command_lie_under_their_parent(run: Run, project: Project) -> None:
    record = run("vary", "portrait of {trigger} {class}", "--seed", 5, "--count", 3, "--json").record
    assert run("vary", "portrait of {trigger} {class}", "--seed", 5, "--count", 3, "--json").record == record
    with project.store() as store:
        shelf = PromptStore(store)
        (parent,) = shelf.find("portrait of jx265 man")
        below = shelf.children(parent.id)
    assert {each.text for each in below} == {each["prompt"] for each in record["variations"]}
    assert below[0].made_by["seed"] == 5
    assert "your prompts" in run("locate").out


def test_a_locked_part_of_a_template_stays_in_every_variation(run: Run) -> None:
    template = "photo of {trigger}, {red|blue|green} hat, {sunny|rainy|windy} day"
    found = run("vary", template, "--count", 9, "--seed", 1, "--lock", "red hat", "--json").record["variations"]
    assert sorted(each["prompt"] for each in found) == [
        f"photo of jx265, red hat, {weather} day" for weather in ("rainy", "sunny", "windy")
    ]
