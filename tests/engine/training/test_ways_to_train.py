"""Optimizers, accumulation, dropout, averages, checkpoints by steps, and starting from a LoRA: whole runs."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine import events
from engine.errors import LoraFileError, ProjectError, TrainingError
from engine.events import JobState
from engine.jobs.folder import JobFolder
from engine.lora.file import read_lora
from engine.lora.header import read_header
from engine.lora.module_names import Part
from engine.project import Project
from engine.settings import Optimizer, TrainingSettings
from engine.training.init_lora import read_start
from engine.training.runs.resume_state import TrainingPosition, read_state, write_state
from engine.training.runs.start import start_training
from engine.training.step.memory_fallback import MicrobatchPlan
from engine.training.step.optimizers import into_8bit, make_optimizer, memory_of
from tests.support.rows import usual
from tests.support.run_here import losses, of_kind, ordered, run_here
from tests.support.small_project import random_lora, small_project

REQUESTS = "engine.training.runs.control.Requests"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """4 images twice, 2 a step: 4 steps an epoch, 2 epochs."""
    return small_project(tmp_path_factory.mktemp("ways") / "james", images=4)


@pytest.fixture(scope="module")
def plain(project: Project) -> JobFolder:
    return done(ordered(project, "plain"))


def done(job: JobFolder) -> JobFolder:
    status = run_here(job)
    assert status.state is JobState.DONE, status.error
    return job


def checkpoint(job: JobFolder, name: str = "jx265") -> Path:
    return job.path / "checkpoints" / f"{name}.safetensors"


def stopped_at(job: JobFolder, step: int) -> JobFolder:
    """Runs until ``step`` steps are done, then stops as on request."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(f"{REQUESTS}.to_stop", lambda _self: at[0] == step)
        at = [0]
        from engine.training import loop

        learn = loop.train_step

        def counted(*args: Any) -> Any:
            at[0] += 1
            return learn(*args)

        patched.setattr(loop, "train_step", counted)
        run_here(job)
    assert list(losses(job)) == list(range(1, step + 1))
    return job


OLD_NAMES = {
    "image/time_ids": "time_ids",
    "text/prompt_embeds": "hidden",
    "text/pooled_prompt_embeds": "pooled",
}
"""What a run's data calls its tensors, and what earlier versions called them."""


def test_a_run_that_an_earlier_version_stopped_continues_bit_for_bit(project: Project, plain: JobFolder) -> None:
    job = stopped_at(ordered(project, "of-an-earlier-version"), 3)
    file = job.path / "state" / "data.safetensors"
    tensors = load_file(file)
    assert OLD_NAMES.keys() <= tensors.keys()
    save_file({OLD_NAMES.get(name, name): each for name, each in tensors.items()}, file)
    assert losses(done(job)) == losses(plain)
    learnt, wanted = load_file(checkpoint(job)), load_file(checkpoint(plain))
    assert all(torch.equal(learnt[name], each) for name, each in wanted.items())


@pytest.mark.long
def test_captions_that_an_earlier_version_encoded_are_read(project: Project, plain: JobFolder) -> None:
    for file in (project.root / "cache" / "text").iterdir():
        kept = load_file(file)
        save_file({OLD_NAMES.get(f"text/{name}", name): each for name, each in kept.items()}, file)
    assert losses(done(ordered(project, "with-older-captions"))) == losses(plain)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"training__optimizer": "adafactor"}, marks=pytest.mark.long),
        pytest.param({"training__optimizer": "prodigy", "training__learning_rate": 1.0}, marks=pytest.mark.long),
        pytest.param({"training__optimizer": "adamw8bit", "training__rank": 16}, marks=pytest.mark.long),
        {"training__ema_decay": 0.9, "training__dropout": 0.3, "training__gradient_accumulation_steps": 2},
    ],
    ids=["adafactor", "prodigy", "adamw8bit", "average, dropout and accumulation"],
)
def test_each_way_to_train_learns_and_goes_on_bit_for_bit_after_a_stop(
    project: Project, plain: JobFolder, changes: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id.replace(" ", "-")
    whole = done(ordered(project, f"{name}-whole", **changes))
    broken = done(stopped_at(ordered(project, f"{name}-broken", **changes), 3))
    assert losses(broken) == losses(whole)
    one, other = load_file(checkpoint(whole)), load_file(checkpoint(broken))
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert one.keys() == other.keys()
    assert all(tensor.abs().max() > 0 for key, tensor in one.items() if "lora_up" in key)
    assert losses(whole)[1] == pytest.approx(losses(plain)[1], rel=0.5)


@pytest.mark.long
def test_two_passes_of_two_images_are_one_step_of_four(project: Project) -> None:
    at_once = done(ordered(project, "at-once", training__batch_size=4))
    in_two = done(ordered(project, "in-two", training__batch_size=2, training__gradient_accumulation_steps=2))
    assert losses(in_two) == pytest.approx(losses(at_once), rel=1e-4)
    plan = of_kind(in_two, events.Plan)[0]
    assert (plan.batch, plan.accumulation, plan.steps_per_epoch, plan.image_steps) == (4, 2, 2, 16)


def test_checkpoints_by_steps_come_beside_epochs_and_the_newest_stay(project: Project) -> None:
    job = ordered(project, "steps", training__save_every_n_steps=1, training__keep_checkpoints=2)
    status = run_here(job)
    kept = ["jx265-000001", "jx265-step00000006", "jx265-step00000007", "jx265"]
    assert sorted(each.stem for each in (job.path / "checkpoints").iterdir()) == sorted(kept)
    assert [each.stem for each in status.checkpoints] == kept
    assert [each.step for each in of_kind(job, events.Checkpoint)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert read_header(checkpoint(job, "jx265-step00000006")).metadata["ss_steps"] == "6"


@pytest.mark.long
def test_epochs_checkpoints_go_only_where_asked_and_the_last_stays(project: Project) -> None:
    job = done(ordered(project, "epochs", training__epochs=4, training__keep_epochs=1))
    assert sorted(each.stem for each in (job.path / "checkpoints").iterdir()) == ["jx265", "jx265-000003"]


@pytest.mark.long
def test_checkpoints_hold_the_moving_average_and_the_state_both(project: Project, plain: JobFolder) -> None:
    averaged = done(ordered(project, "averaged", training__ema_decay=0.99))
    assert losses(averaged) == losses(plain)
    one, other = load_file(checkpoint(plain)), load_file(checkpoint(averaged))
    assert not all(torch.equal(one[key], other[key]) for key in one)
    place_and_memory = read_state(averaged.path / "state")
    assert place_and_memory is not None
    memory = place_and_memory[1]
    key = next(key for key in memory.part(Part.UNET) if "lora_B" in key)
    average, last = memory.part("average")[f"{Part.UNET}{key}"], memory.part(Part.UNET)[key]
    pair = read_lora(checkpoint(averaged), layers_per_block=1)[Part.UNET, key.removesuffix(".lora_B.weight")]
    assert torch.allclose(pair.up.float(), average, atol=1e-3)
    assert average.norm() < last.norm()


@pytest.mark.long
def test_dropout_changes_what_is_learnt(project: Project, plain: JobFolder) -> None:
    dropped = done(ordered(project, "dropped", training__dropout=0.5))
    assert losses(dropped)[1] == pytest.approx(losses(plain)[1], rel=1e-6)  # ΔW is 0 at first
    assert losses(dropped)[8] != losses(plain)[8]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of rank 4 and alpha 2 in kohya's layout."""
    return random_lora(tmp_path_factory.mktemp("lora") / "made.safetensors")


def respelt(made: Path, path: Path, spelling: str) -> Path:
    """The same LoRA in other programs' names."""
    suffixes = {"peft": ("lora_A", "lora_B"), "diffusers": ("lora.down", "lora.up")}[spelling]
    prefix = {"peft": "base_model.model.", "diffusers": "unet."}[spelling]
    tensors = {}
    for (_, module), pair in read_lora(made, layers_per_block=1).items():
        # Neither carries an alpha: the scale, 2/4, is in the weights.
        tensors[f"{prefix}{module}.{suffixes[0]}.weight"] = pair.down.contiguous()
        tensors[f"{prefix}{module}.{suffixes[1]}.weight"] = (pair.up * pair.alpha / pair.rank).contiguous()
    save_file(tensors, path)
    return path


@pytest.mark.parametrize("spelling", usual(["kohya", "peft", "diffusers"], 1))
def test_a_run_starts_from_a_lora_of_any_naming_with_the_same_effect(
    project: Project, plain: JobFolder, made: Path, tmp_path: Path, spelling: str
) -> None:
    path = made if spelling == "kohya" else respelt(made, tmp_path / "other.safetensors", spelling)
    job = ordered(project, f"from-{spelling}", training__network_weights=path, training__alpha=8.0, training__epochs=1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(f"{REQUESTS}.to_stop", lambda _self: True)
        run_here(job)
    kept = read_state(job.path / "state")
    assert kept is not None
    state, scale = kept[1].part(Part.UNET), 8.0 / 4
    for (_, module), pair in read_lora(made, layers_per_block=1).items():
        delta = state[f"{module}.lora_B.weight"] @ state[f"{module}.lora_A.weight"] * scale
        assert torch.allclose(delta, pair.delta(), atol=1e-5), module
    assert not of_kind(job, events.Warning)


SPELLINGS = {
    "diffusers' blocks after kohya's prefix": lambda module: (
        f"lora_unet_{module.replace('.', '_')}", ".lora_down.weight", ".lora_up.weight"),
    "a pipeline's adapter": lambda module: (f"unet.{module}", ".lora_A.weight", ".lora_B.weight"),
    "no prefix": lambda module: (module, ".lora_A.weight", ".lora_B.weight"),
    "an adapter with its own name": lambda module: (
        f"unet.base_model.model.{module}", ".lora_A.default.weight", ".lora_B.default.weight"),
    "attention processors": lambda module: (
        f"unet.{module.replace('.to_out.0', '.to_out').replace('.to_', '.processor.to_')}",
        "_lora.down.weight", "_lora.up.weight"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("told", "alpha"),
    [
        ({"unet.lora_alpha": 2}, 2.0),
        ({"unet.lora_alpha": 2, "unet.alpha_pattern": {"to_q": 8, "to_k": 8, "to_v": 8}}, None),
        ({"unet.lora_alpha": 2, "unet.use_rslora": True}, 4.0),
        ({"text_encoder.lora_alpha": 2}, 4.0),
        ({"unet.lora_alpha": 10**400}, 4.0),
        ({"unet.lora_alpha": float("inf"), "unet.alpha_pattern": [1]}, 4.0),
        ({}, 4.0),
        ([1], 4.0),
    ],
)
def test_a_lora_that_diffusers_wrote_begins_with_the_alpha_it_tells(
    made: Path, tmp_path: Path, told: object, alpha: float | None
) -> None:
    pairs = read_lora(made, layers_per_block=1)
    tensors = {}
    for (_, module), pair in pairs.items():
        tensors |= {f"unet.{module}.lora_A.weight": pair.down, f"unet.{module}.lora_B.weight": pair.up}
    path = tmp_path / "diffusers.safetensors"
    whole = {name: each.contiguous() for name, each in tensors.items()}
    save_file(whole, path, metadata={"lora_adapter_metadata": json.dumps(told)})
    begun = read_start(path, {Part.UNET: [module for _, module in pairs]}, 4, 2, 1)
    for (_, module), pair in pairs.items():
        meant = alpha or (8.0 if module.endswith(("to_q", "to_k", "to_v")) else 2.0)
        up, down = (begun.tensors[Part.UNET][f"{module}.lora_{each}.weight"] for each in "BA")
        assert torch.allclose(up @ down * 2 / 4, pair.up.float() @ pair.down.float() * meant / 4, atol=1e-4), module


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_lora_to_start_from_is_found_whole_in_every_spelling(made: Path, tmp_path: Path, spelling: str) -> None:
    pairs = read_lora(made, layers_per_block=1)
    tensors = {}
    for (_, module), pair in pairs.items():
        name, down, up = SPELLINGS[spelling](module)
        tensors |= {name + down: pair.down.contiguous(), name + up: (pair.up * pair.alpha / pair.rank).contiguous()}
    save_file(tensors, tmp_path / "other.safetensors")
    begun = read_start(tmp_path / "other.safetensors", {Part.UNET: [module for _, module in pairs]}, 4, 2, 1)
    assert (begun.left_out, begun.fresh) == ((), 0)
    for (_, module), pair in pairs.items():
        up, down = (begun.tensors[Part.UNET][f"{module}.lora_{each}.weight"] for each in "BA")
        assert torch.allclose(up @ down * 2 / 4, pair.delta(), atol=1e-4), module


def test_a_dora_is_not_started_from_as_if_it_were_a_lora(project: Project, made: Path, tmp_path: Path) -> None:
    path = tmp_path / "dora.safetensors"
    name = "lora_unet_middle_block_1_proj_in"
    save_file({**load_file(made), f"{name}.dora_scale": torch.ones(128, 1)}, path)
    with pytest.raises(TrainingError, match="is a DoRA"):
        start_training(project, {"training.network_weights": str(path), "training.rank": 4})


def test_a_lora_of_another_rank_is_refused_and_says_what_to_set(project: Project, made: Path) -> None:
    with pytest.raises(TrainingError, match=r"has rank 4, and training\.rank is 8: set training\.rank to 4"):
        start_training(project, {"training.network_weights": str(made), "training.rank": 8})
    with pytest.raises(LoraFileError, match="there is no"):
        start_training(project, {"training.network_weights": "/nowhere/lora.safetensors"})


def test_a_lora_of_many_ranks_wants_the_largest_and_loses_nothing(project: Project, made: Path, tmp_path: Path) -> None:
    tensors: dict[str, torch.Tensor] = {}
    pairs = read_lora(made, layers_per_block=1)
    for number, ((_, module), pair) in enumerate(pairs.items()):
        rank, name = 1 + number % 4, f"lora_unet_{module.replace('.', '_')}"
        tensors |= {f"{name}.lora_down.weight": pair.down[:rank].clone(), f"{name}.alpha": torch.tensor(float(rank))}
        tensors[f"{name}.lora_up.weight"] = pair.up[:, :rank].clone()
    path = tmp_path / "mixed.safetensors"
    save_file(tensors, path)
    for rank in (1, 2, 8):
        with pytest.raises(TrainingError, match=rf"ranks from 1 to 4, and training\.rank is {rank}: .* to 4"):
            start_training(project, {"training.network_weights": str(path), "training.rank": rank})
    begun = read_start(path, {Part.UNET: [module for _, module in pairs]}, 4, 2, 1)
    assert (begun.left_out, begun.fresh) == ((), 0)
    for number, ((_, module), pair) in enumerate(pairs.items()):
        rank = 1 + number % 4
        up, down = (begun.tensors[Part.UNET][f"{module}.lora_{each}.weight"] for each in "BA")
        assert torch.allclose(up @ down * 2 / 4, pair.up[:, :rank].float() @ pair.down[:rank].float(), atol=1e-4)
        # What is added can learn: not both of a rank's halves are 0.
        assert down.abs().amax(dim=1).min() > 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"training.betas": [0.9, 1.0]}, r"training\.betas"),
        ({"training.betas": [-0.1, 0.9]}, r"training\.betas"),
        ({"training.betas": [float("nan"), 0.9]}, r"training\.betas"),
        ({"training.alpha": 1e300}, r"training\.alpha"),
        ({"training.alpha": float("nan")}, r"training\.alpha"),
        ({"training.min_snr_gamma": float("inf")}, r"training\.min_snr_gamma"),
    ],
)
def test_a_number_that_no_run_can_use_is_told_before_loading(
    project: Project, change: dict[str, Any], says: str
) -> None:
    before = list(project.run_folders())
    with pytest.raises(ProjectError, match=says):
        start_training(project, change)
    assert list(project.run_folders()) == before


@pytest.mark.parametrize(
    ("change", "package"),
    [
        ({"training.optimizer": "prodigy"}, "prodigyopt"),
        ({"training.optimizer": "adamw8bit"}, "bitsandbytes"),
        ({"training.tensorboard": True}, "tensorboard"),
    ],
)
def test_a_package_that_is_missing_is_told_before_a_run_folder_is_left(
    project: Project, change: dict[str, Any], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    before = list(project.run_folders())
    with pytest.raises(TrainingError, match=f"needs {package}, which is not installed: install it with: pip install"):
        start_training(project, change)
    assert list(project.run_folders()) == before


def test_modules_not_trained_and_modules_missing_are_counted(made: Path, tmp_path: Path) -> None:
    tensors = load_file(made)
    te = "lora_te1_text_model_encoder_layers_0_mlp_fc1"
    tensors |= {f"{te}.lora_down.weight": torch.ones(4, 32), f"{te}.lora_up.weight": torch.ones(64, 4)}
    modules = [module for _, module in read_lora(made, layers_per_block=1)]
    save_file(tensors, tmp_path / "more.safetensors")
    begun = read_start(
        tmp_path / "more.safetensors", {Part.UNET: [*modules, "mid_block.attentions.0.proj_new"][:-1]}, 4, 2, 1
    )
    assert begun.left_out == (te,)
    assert begun.fresh == 0
    fewer = {name: each for name, each in tensors.items() if "middle_block" not in name}
    save_file(fewer, tmp_path / "fewer.safetensors")
    assert read_start(tmp_path / "fewer.safetensors", {Part.UNET: modules}, 4, 2, 1).fresh > 0


def test_a_lora_of_another_model_is_refused(made: Path) -> None:
    with pytest.raises(LoraFileError, match="fits no module"):
        read_start(made, {Part.UNET: ["down_blocks.9.attentions.0.proj_in"]}, 4, 2, 1)


@pytest.mark.parametrize(
    ("kind", "package", "command"),
    [
        (Optimizer.PRODIGY, "prodigyopt", "pip install prodigyopt"),
        (Optimizer.ADAMW_8BIT, "bitsandbytes", "pip install bitsandbytes"),
    ],
)
def test_an_optimizer_without_its_package_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, kind: Optimizer, package: str, command: str
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **named: Any) -> Any:
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TrainingError, match=command):
        make_optimizer(kind, [torch.nn.Parameter(torch.ones(2, 2))], TrainingSettings(), "cpu")


@pytest.mark.long
def test_the_8_bit_memory_taken_over_from_adamw_is_nearly_the_same() -> None:
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(64, 128)), torch.nn.Parameter(torch.randn(4, 8))]
    settings = TrainingSettings()
    adamw = make_optimizer(Optimizer.ADAMW, parameters, settings, "cpu")
    for _ in range(3):
        for each in parameters:
            each.grad = torch.randn_like(each)
        adamw.step()
    eight = make_optimizer(Optimizer.ADAMW_8BIT, parameters, settings, "cpu")
    into_8bit(adamw, eight)
    gradients = [torch.randn_like(each) for each in parameters]
    moved = []
    for optimizer in (adamw, eight):
        before = [each.detach().clone() for each in parameters]
        for each, gradient in zip(parameters, gradients, strict=True):
            each.grad = gradient.clone()
        optimizer.step()
        moved.append([each.detach() - old for each, old in zip(parameters, before, strict=True)])
        with torch.no_grad():
            for each, old in zip(parameters, before, strict=True):
                each.copy_(old)
    for one, other in zip(*moved, strict=True):
        assert torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0) > 0.99


def test_a_state_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    parameters = [torch.nn.Parameter(torch.randn(8, 8))]
    optimizer = make_optimizer(Optimizer.PRODIGY, parameters, TrainingSettings(learning_rate=1.0), "cpu")
    for _ in range(4):
        parameters[0].grad = torch.randn(8, 8)
        optimizer.step()
    from engine.training.runs.resume_state import OptimizerState

    place = TrainingPosition(4, 0.5, 1.5, 2.5, MicrobatchPlan(True, 1, 4, Optimizer.PRODIGY, 48))
    write_state(tmp_path, place, OptimizerState.of(optimizer, lora={"w": parameters[0]}))
    kept = read_state(tmp_path)
    assert kept is not None
    assert kept[0] == place
    again = make_optimizer(Optimizer.PRODIGY, parameters, TrainingSettings(learning_rate=1.0), "cpu")
    kept[1].give_back(again)
    (tensors, plain), (tensors_again, plain_again) = memory_of(optimizer), memory_of(again)
    assert plain == plain_again
    assert plain["group/0"]["d"] == optimizer.param_groups[0]["d"]
    assert all(torch.equal(tensors[name], tensors_again[name]) for name in tensors)
