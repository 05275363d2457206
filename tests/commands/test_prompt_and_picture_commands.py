"""``limner vary``, ``paint`` and ``likeness``, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from engine.pictures.orders.queue import Queue
from engine.project import Project
from tests.support.drawn_people import drawn_project
from tests.support.png import read_parameters
from tests.support.small_project import random_lora, run_with
from tui.cli.main import main


def limner(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(folder), *arguments])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def told(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> dict[str, Any]:
    status, out, err = limner(capsys, folder, *arguments, "--json")
    assert status == 0, err
    return json.loads(out)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a run that has a checkpoint; its painter stays for the whole module."""
    root = tmp_path_factory.mktemp("paint")
    project = drawn_project(root / "james", images=3, painting__idle_seconds=20.0)
    run_with(project, random_lora(root / "a.safetensors"))
    return project


def test_paint_tells_what_of_a_lora_the_base_model_has_not(
    capsys: pytest.CaptureFixture[str], project: Project, tmp_path: Path
) -> None:
    lora = random_lora(tmp_path / "wide.safetensors")
    tensors = load_file(lora)
    for name in ("lora_unet_input_blocks_19_1_proj_in", "lora_unet_double_blocks_0_img_attn_qkv"):
        tensors |= {f"{name}.lora_down.weight": torch.ones(2, 8), f"{name}.lora_up.weight": torch.ones(8, 2)}
    save_file(tensors, lora)
    out = tmp_path / "wide.png"
    status, _, err = limner(capsys, project.root, "paint", "a man", "--lora", str(lora), "--seed", "3", "-o", str(out))
    assert status == 0
    assert "wide: 2 of 86 modules are not in this base model and are left out" in err
    about = read_parameters(out)
    assert about is not None
    assert about.extra["Lora modules left out"] == "wide 2 of 86"
    status, shown, _ = limner(capsys, project.root, "lora", "show", str(lora))
    assert "applies 85 of 86 modules" in shown


PASTED = "# portrait\nphoto of jx265 man,, (red shirt:1.2), # warm\nblue  background, "


def test_a_pasted_prompt_is_painted_as_show_reads_it_and_not_rewritten(
    capsys: pytest.CaptureFixture[str], project: Project, tmp_path: Path
) -> None:
    shown = told(capsys, project.root, "prompt", "show", PASTED)
    assert shown["attention"] == [["\nphoto of jx265 man,, ", 1.0], ["red shirt", 1.2], [", \nblue  background,", 1.0]]
    out = tmp_path / "pasted.png"
    painted = told(capsys, project.root, "paint", PASTED, "--seed", "3", "-o", str(out))
    assert painted["pictures"][0]["prompt"] == shown["prompt"] == PASTED.strip()
    # The comment takes no more than its line: the same without it.
    bare = tmp_path / "bare.png"
    plain = "photo of jx265 man,, (red shirt:1.2), blue background,"
    told(capsys, project.root, "paint", plain, "--seed", "3", "-o", str(bare))
    assert np.array_equal(np.asarray(Image.open(out)), np.asarray(Image.open(bare)))
    about = read_parameters(out)
    assert about is not None
    # What is pasted back from the picture is the same picture again.
    again = told(capsys, project.root, "paint", about.prompt, "--seed", "3", "-o", str(tmp_path / "again.png"))
    assert np.array_equal(np.asarray(Image.open(out)), np.asarray(Image.open(again["pictures"][0]["path"])))


def test_a_prompt_that_names_a_lora_gets_no_other(
    capsys: pytest.CaptureFixture[str], project: Project, tmp_path: Path
) -> None:
    run_with(project, random_lora(tmp_path / "b.safetensors"), "20261122-0900-other")
    status, out, err = limner(
        capsys, project.root, "paint", "a man <lora:20261121-1403-jx265/jx265:0.8>", "--seed", "3", "--json"
    )
    assert status == 0
    (picture,) = json.loads(out)["pictures"]
    assert (picture["lora"], picture["strength"]) == (None, None)
    assert [(Path(each["file"]).parent.parent.name, each["unet"]) for each in picture["others"]] == [
        ("20261121-1403-jx265", 0.8)
    ]
    assert "jx265 at 0.8, seed 3" in err
    assert " and " not in err


ODD = {
    "photo of {trigger} {clas}": "did you mean {class}?",
    "a (red shirt": "is never closed",
    "a man # and nothing more": "is a comment",
}


@pytest.mark.parametrize("prompt", ODD)
def test_paint_vary_grid_and_show_say_the_same_of_a_prompt(
    prompt: str, capsys: pytest.CaptureFixture[str], project: Project
) -> None:
    shown = told(capsys, project.root, "prompt", "show", prompt)["warnings"]
    assert any(ODD[prompt] in each for each in shown)
    for command in (
        ("paint", prompt, "--lora", "none", "--no-wait"),
        ("vary", prompt, "--count", "2"),
        ("grid", "--x", "strength=0.5", "--prompt", prompt, "--no-wait"),
    ):
        status, _, err = limner(capsys, project.root, *command)
        assert status == 0
        assert [each for each in shown if each not in err] == [], command[0]


@pytest.mark.parametrize("prompt", ["a <lora:nobody:0.8>", "a man AND a dog", "a {man"])
def test_paint_and_grid_refuse_what_nobody_can_paint_before_it_is_queued(
    prompt: str, capsys: pytest.CaptureFixture[str], project: Project
) -> None:
    with project.store() as store:
        before = len(Queue(store).pictures())
    for command in (("paint", prompt), ("grid", "--x", "strength=0.5", "--prompt", prompt)):
        status, _, err = limner(capsys, project.root, *command)
        assert status == 1, command
        assert err.count("\n") == 1
    with project.store() as store:
        assert len(Queue(store).pictures()) == before
    assert any(
        "nobody" in each or "AND" in each or "closed" in each
        for each in told(capsys, project.root, "prompt", "show", prompt)["warnings"]
    )


def test_vary_gives_different_prompts_with_their_distance(capsys: pytest.CaptureFixture[str], project: Project) -> None:
    found = told(capsys, project.root, "vary", "photo of {trigger} {class}, {red|blue} shirt", "--seed", "1")
    assert found["prompt"] == "photo of jx265 man, red shirt"
    assert sorted((each["prompt"], each["engine"]) for each in found["variations"]) == [
        ("photo of jx265 man, blue shirt", "grammar"),
        ("photo of jx265 man, red shirt", "grammar"),
    ]
    assert sorted(each["distance"] for each in found["variations"]) == [0, pytest.approx(2 / 7, abs=1e-3)]


def test_vary_makes_as_many_as_asked_and_the_same_for_a_seed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = told(capsys, tmp_path, "vary", "portrait of jx265 man", "--count", "12", "--seed", "3")
    assert len({each["prompt"] for each in found["variations"]}) == 12
    assert all(each["prompt"].startswith("portrait of jx265 man, ") for each in found["variations"])
    assert told(capsys, tmp_path, "vary", "portrait of jx265 man", "--count", "12", "--seed", "3") == found
    other = told(capsys, tmp_path, "vary", "a man", "--axes", "lens", "--count", "2")
    assert all("mm" in each["prompt"] or "format" in each["prompt"] for each in other["variations"])


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("vary", "a {b|c"), 1, "character 3 is never closed"),
        (("vary", "a", "--axes", "weather"), 1, "there is no axis weather"),
        (("vary", "a", "--count", "0"), 2, "--count"),
        (("vary",), 2, "PROMPT"),
        (("paint", "a", "-o", "a.jpg"), 2, "written as .png"),
        (("paint", "a", "--size", "big"), 2, "832x1216"),
        (("paint", "a", "--lora", "x.safetensors:strong"), 2, "not a number"),
        (("paint", "a", "--lora", "/nowhere.safetensors"), 1, "there is no /nowhere.safetensors"),
        (("paint", ""), 1, "the prompt is empty"),
        (("paint", "a {b"), 1, "never closed"),
        (("paint", "a", "--sampler", "Magic"), 2, "Magic"),
        (("likeness", "nope"), 1, "there is no run called nope"),
        (("likeness", "--checkpoint", "nope"), 1, "the run has no checkpoint nope"),
        (("likeness", "--strength", "9"), 2, "--strength"),
    ],
)
def test_wrong_use_is_one_clear_line_and_the_right_status(
    capsys: pytest.CaptureFixture[str], project: Project, arguments: tuple[str, ...], status: int, says: str
) -> None:
    code, out, err = limner(capsys, project.root, *arguments)
    assert (code, out) == (status, "")
    assert says in err
    if status == 1:
        assert len(err.strip().splitlines()) == 1


def test_paint_takes_the_newest_lora_and_a_seed_gives_the_same_picture(
    capsys: pytest.CaptureFixture[str], project: Project, tmp_path: Path
) -> None:
    out = tmp_path / "portrait.png"
    first = told(capsys, project.root, "paint", "photo of {trigger} {class}", "--seed", "7", "-o", str(out))[
        "pictures"
    ][0]
    assert (first["path"], first["seed"], first["strength"]) == (str(out), 7, 0.8)
    assert Path(first["lora"]) == project.run().path / "checkpoints" / "jx265.safetensors"
    about = read_parameters(out)
    assert about is not None
    assert about.prompt == "photo of jx265 man <lora:jx265:0.8>"
    status, printed, err = limner(capsys, project.root, "paint", "photo of jx265 man", "--seed", "7", "-o", str(out))
    assert status == 0, err
    again = Path(printed.strip())
    assert again == tmp_path / "portrait-2.png"
    assert np.array_equal(np.asarray(Image.open(out)), np.asarray(Image.open(again)))


def test_paint_follows_its_options(capsys: pytest.CaptureFixture[str], project: Project) -> None:
    lora = run_with(project, project.run().path / "checkpoints" / "jx265.safetensors", "20261122-0900-jx265")
    options = ("--steps", "2", "--guidance", "1.5", "--sampler", "euler a", "--size", "96x64", "--negative", "blurry")
    file = lora.path / "checkpoints" / "jx265.safetensors"
    found = told(capsys, project.root, "paint", "a man", "--lora", f"{file}:0.35", *options)["pictures"][0]
    about = read_parameters(Path(found["path"]))
    assert about is not None
    assert Path(found["path"]).parent == project.pictures
    assert about.prompt == "a man <lora:jx265:0.35>"
    assert (about.negative, about.steps, about.sampler, about.guidance) == ("blurry", 2, "Euler a", 1.5)
    assert about.size == (96, 64)
    bare = told(capsys, project.root, "paint", "--lora", "none", "--seed", "1")["pictures"][0]
    assert bare["lora"] is bare["strength"] is None
    assert bare["prompt"] == "photo of jx265 man"


def test_a_picture_that_cannot_be_painted_is_one_line_and_status_1(
    capsys: pytest.CaptureFixture[str], project: Project
) -> None:
    status, out, err = limner(capsys, project.root, "paint", "a man", "--size", "66x64")
    assert (status, out) == (1, "")
    assert "66x64 is invalid" in err


def test_likeness_of_one_seed_recommends_nothing(capsys: pytest.CaptureFixture[str], project: Project) -> None:
    project.change({"painting.steps": 4})
    words = ("likeness", "20261121-1403-jx265", "--seeds", "1", "--strength", "0.1", "--prompt", "photo of jx265 man")
    status, out, err = limner(capsys, project.root, *words)
    assert status == 0, err
    assert "nothing is recommended; the closest match is jx265.safetensors at 0.1, but" in out
    assert "paint with" not in out


def test_likeness_is_reported_for_a_run(capsys: pytest.CaptureFixture[str], project: Project) -> None:
    project.change({"painting.steps": 8})
    status, _, err = limner(capsys, project.root, "likeness", "--last")
    assert status == 1
    assert "measured yet" in err
    found = told(capsys, project.root, "likeness", "--seeds", "2", "--strength", "0.1", "--checkpoint", "jx265")
    assert [(each["strength"], len(each["pictures"])) for each in found["scores"]] == [(0.1, 2)]
    assert {"median", "spread", "checkpoint"} <= set(found["scores"][0])
    assert isinstance(found["base"], float)
    assert found["nearest_other"] is None
    assert found["measure"]["other_name"] is None
    assert set(found["recommended"]) == {"checkpoint", "strength", "why"}
    status, out, err = limner(capsys, project.root, "likeness", "--last")
    assert status == 0
    assert "there is nobody else to compare with" in err
    assert out.splitlines()[0].split() == [
        "checkpoint",
        "strength",
        "likeness",
        "spread",
        "no",
        "face",
        "not",
        "scorable",
        "copies",
        "pictures",
    ]
    # A LoRA that learnt nothing is like nobody.
    assert "closest match is jx265.safetensors at 0.1, but its likeness is 0 of 100" in out.splitlines()[-1]
