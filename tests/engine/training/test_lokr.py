"""Training LoKr: as peft computes it, killed and resumed bit for bit, from a file, counted before it begins."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoKrConfig
from peft.tuners.lokr.layer import LoKrLayer
from safetensors.torch import load_file

from engine import events
from engine.errors import LoraFileError, ProjectError, TrainingError
from engine.jobs.folder import JobFolder
from engine.lora.file import modules_of_peft, read_contents, write_lora
from engine.lora.header import read_header
from engine.lora.metadata import LoraFacts
from engine.lora.module_names import Part
from engine.models.locate import find_base
from engine.models.registry import arithmetic_of
from engine.models.sdxl.loaded import TARGETS
from engine.models.sdxl.loading import Pipeline, load_pipeline
from engine.project import Project
from engine.settings import BaseSettings, Network, Settings, TrainingSettings, with_changes
from engine.training.init_lora import read_lokr_start
from engine.training.planning.benchmark_store import Measured
from engine.training.runs.resume_state import read_state
from engine.training.runs.start import start_training
from engine.training.runs.start_from import check_start
from engine.training.step.lora_adapter import add_lokr, lora_state
from engine.training.step.memory_fallback import MicrobatchPlan, fitting_for, replays
from tests.engine.training.test_ways_to_train import checkpoint, done, stopped_at
from tests.support.run_here import losses, of_kind, ordered, run_here
from tests.support.small_project import random_lora, small_project
from tests.support.tiny_klein import tiny_klein

LOKR = {"training__network": "lokr", "training__factor": 4}
"""Of these the demo's base has w2 of two matrices at rank 4."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """4 images twice, 2 a step: 4 steps an epoch, 2 epochs."""
    return small_project(tmp_path_factory.mktemp("lokr") / "james", images=4)


@pytest.fixture(scope="module")
def trained(project: Project) -> JobFolder:
    return done(ordered(project, "trained", **LOKR))


def tiny() -> Pipeline:
    return load_pipeline(find_base(BaseSettings(model="demo")))


def see(pipeline: Pipeline, unet: Any) -> torch.Tensor:
    """What a U-Net says of a noisy latent."""
    chance = torch.Generator().manual_seed(0)
    found: torch.Tensor = unet(
        torch.randn(2, 4, 16, 16, generator=chance),
        500,
        torch.randn(2, 77, unet.config.cross_attention_dim, generator=chance),
        added_cond_kwargs={
            "text_embeds": torch.randn(2, pipeline.text_encoder_2.config.projection_dim, generator=chance),
            "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2),
        },
    ).sample
    return found


@pytest.mark.parametrize(("rank", "factor"), [(4, 4), (4, -1), (64, 8), (8, 8)])
def test_loss_and_gradients_of_a_step_are_those_of_plain_peft(rank: int, factor: int) -> None:
    pipeline = tiny()
    ours, plain = copy.deepcopy(pipeline.unet), pipeline.unet
    # Alpha equals the rank: peft scales matrices that are whole as well.
    learnt = add_lokr(ours, rank, float(rank), factor, 3, TARGETS)
    plain.requires_grad_(False)
    config = LoKrConfig(
        r=rank, alpha=rank, decompose_factor=factor, target_modules=list(TARGETS), init_weights="lycoris")  # fmt: skip
    plain.add_adapter(config, adapter_name="limner")
    theirs = [each for each in plain.parameters() if each.requires_grad]
    assert [each.shape for each in learnt] == [each.shape for each in theirs]
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for one, other in zip(learnt, theirs, strict=True):
            one.copy_(torch.randn(one.shape, generator=chance) * 0.2)
            other.copy_(one)
    seen = [see(pipeline, unet) for unet in (ours, plain)]
    found = [(each**2).mean() for each in seen]
    assert torch.allclose(found[0], found[1], rtol=1e-5)
    for loss in found:
        loss.backward()  # type: ignore[no-untyped-call]
    for one, other in zip(learnt, theirs, strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert other.grad.abs().max() > 0
        assert torch.allclose(one.grad, other.grad, rtol=1e-3, atol=1e-4 * float(other.grad.abs().max()))


def test_a_lokr_changes_nothing_before_its_first_step() -> None:
    pipeline = tiny()
    with torch.no_grad():
        bare = see(pipeline, pipeline.unet)
        parameters = add_lokr(pipeline.unet, 4, 2.0, 4, 3, TARGETS)
        assert torch.equal(see(pipeline, pipeline.unet), bare)
    assert {each.dtype for each in parameters} == {torch.float32}
    again = tiny()
    other = add_lokr(again.unet, 4, 2.0, 4, 3, TARGETS)
    assert all(torch.equal(one, each) for one, each in zip(parameters, other, strict=True))


def test_where_both_matrices_are_whole_alpha_does_not_scale() -> None:
    unet = tiny().unet
    add_lokr(unet, 64, 2.0, 8, 3, TARGETS)
    layers = [each for each in unet.modules() if isinstance(each, LoKrLayer)]
    assert len(layers) == 84
    assert all("limner" in each.lokr_w2 and each.scaling["limner"] == 1.0 for each in layers)


WAYS = {
    "plain": {},
    "all": {
        "training__ema_decay": 0.9,
        "training__gradient_accumulation_steps": 2,
        "training__batch_size": 1,
        "training__gradient_checkpointing": True,
        "training__train_text_encoders": True,
        "training__caption_shuffle": True,
        "training__noise_offset": 0.03,
    },
    "whole": {"training__rank": 64, "training__factor": 8},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_was_stopped_goes_on_bit_for_bit(project: Project, way: str) -> None:
    changes = LOKR | WAYS[way]
    whole = done(ordered(project, f"{way}-whole", **changes))
    broken = done(stopped_at(ordered(project, f"{way}-broken", **changes), 3))
    assert losses(broken) == losses(whole)
    one, other = load_file(checkpoint(whole)), load_file(checkpoint(broken))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    # What stands last in a text encoder is read by nobody.
    assert all(each.abs().max() > 0 for name, each in one.items() if name.startswith("lora_unet_"))
    assert any(name.startswith("lora_te2_") for name in one) == (way == "all")


def test_training_lowers_the_loss(project: Project) -> None:
    job = done(ordered(project, "long", **LOKR, training__epochs=12, training__learning_rate=2e-2,
                       training__lr_scheduler="constant", training__validation_split=1))  # fmt: skip
    seen = [each.validation_loss for each in of_kind(job, events.Epoch)]
    assert min(seen[6:]) < seen[0] * 0.98


def test_klein_is_trained_and_goes_on_bit_for_bit(tmp_path: Path) -> None:
    base = str(tiny_klein(tmp_path / "klein"))
    project = small_project(tmp_path / "james", images=4, base__model=base, painting__guidance_scale=4.0,
                            painting__sampler="Euler")  # fmt: skip
    changes = LOKR | {"training__factor": 2}
    whole = done(ordered(project, "whole", **changes))
    broken = done(stopped_at(ordered(project, "broken", **changes), 3))
    assert losses(broken) == losses(whole)
    one, other = load_file(checkpoint(whole)), load_file(checkpoint(broken))
    assert all(torch.equal(one[name], each) for name, each in other.items())
    assert {name.split(".")[-1] for name in one} == {"lokr_w1", "lokr_w2_a", "lokr_w2_b"}
    assert all(name.startswith("transformer.") for name in one)
    header = read_header(checkpoint(whole))
    assert header.metadata["ss_network_module"] == "lycoris.kohya"
    assert header.metadata["ss_network_alpha"] == "4.0", "the scale is in w1"


def test_the_file_holds_what_was_learnt_in_every_module(project: Project, trained: JobFolder) -> None:
    kept = read_state(trained.path / "state")
    assert kept is not None
    state = kept[1].part("lora_unet_")
    modules = read_contents(checkpoint(trained), 1).modules
    assert len(modules) == 84
    for (_, module), lokr in modules.items():
        w2 = state[f"{module}.lokr_w2_a"] @ state[f"{module}.lokr_w2_b"]
        wanted = torch.kron(state[f"{module}.lokr_w1"], w2) * (2.0 / 4)
        assert torch.allclose(lokr.delta(), wanted, atol=1e-3 * float(wanted.abs().max()) + 1e-7), module
        assert wanted.abs().max() > 0


def test_the_file_tells_lycoris_what_it_is(trained: JobFolder) -> None:
    header = read_header(checkpoint(trained))
    about = header.metadata
    assert about["ss_network_module"] == "lycoris.kohya"
    assert json.loads(about["ss_network_args"]) == {"algo": "lokr", "factor": "4"}
    assert (about["ss_network_dim"], about["ss_network_alpha"]) == ("4", "2.0")
    query = "lora_unet_input_blocks_3_1_transformer_blocks_0_attn1_to_q"
    assert {name.removeprefix(f"{query}.") for name in header.tensors if name.startswith(query)} == {
        "lokr_w1", "lokr_w2_a", "lokr_w2_b", "alpha"}  # fmt: skip
    assert header.scalar(f"{query}.alpha") == 2.0
    record = tomllib.loads((trained.path / "run.toml").read_text("utf-8"))
    assert (record["training"]["network"], record["training"]["factor"]) == ("lokr", 4)


def test_a_run_goes_on_from_a_lokr_with_an_equal_effect(project: Project, trained: JobFolder) -> None:
    made = checkpoint(trained)
    changes = LOKR | {"training__network_weights": made, "training__alpha": 8.0, "training__ema_decay": 0.5}
    job = ordered(project, "from-lokr", **changes)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("engine.training.runs.control.Requests.to_stop", lambda _self: True)
        run_here(job)
    kept = read_state(job.path / "state")
    assert kept is not None
    begun = modules_of_peft(kept[1].part("lora_unet_"), 8.0)
    for place, lokr in read_contents(made, 1).modules.items():
        assert torch.allclose(begun[place].delta(), lokr.delta(), rtol=1e-5, atol=1e-8), place
    assert not of_kind(job, events.Warning)


REFUSED = {
    "a LoKr for a LoRA": ({"network": "lora"}, "is a LoKr, and training.network is lora"),
    "another factor": ({"factor": 8}, "has factor 4, and training.factor is 8"),
    "another rank": ({"rank": 5}, "has rank 4, and training.rank is 5"),
    "whole instead": ({"rank": 320}, "has rank 4, and training.rank is 320"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_does_not_suit_the_run_is_refused_by_name(kind: str, trained: JobFolder, project: Project) -> None:
    changes, why = REFUSED[kind]
    training = {"network": "lokr", "factor": 4, "rank": 4, "network_weights": str(checkpoint(trained))} | changes
    with pytest.raises(TrainingError, match=rf"jx265\.safetensors {why}"):
        check_start(Settings.model_validate({"training": training}))


def test_a_lora_is_no_start_for_a_lokr(tmp_path: Path) -> None:
    path = random_lora(tmp_path / "plain.safetensors")
    training = {"network": "lokr", "network_weights": str(path), "rank": 4}
    with pytest.raises(TrainingError, match=r"plain\.safetensors is a LoRA, and training\.network is lokr"):
        check_start(Settings.model_validate({"training": training}))
    unet = tiny().unet
    add_lokr(unet, 4, 2.0, 4, 3, TARGETS)
    states = {Part.UNET: lora_state(unet)}
    with pytest.raises(LoraFileError, match="is a LoRA"):
        read_lokr_start(path, states, 0.5, 1)


def test_dropout_is_refused_with_a_reason(project: Project) -> None:
    with pytest.raises(TrainingError, match=r"training\.dropout is for the inputs of a LoRA"):
        start_training(project, {"training.network": "lokr", "training.dropout": 0.1})


@pytest.mark.parametrize("factor", [0, 1, -2, 26])
def test_a_factor_that_divides_nothing_is_refused(factor: int, project: Project) -> None:
    with pytest.raises(ProjectError):
        with_changes(project.settings, {"training.factor": factor})


def test_a_run_of_an_earlier_version_is_a_lora_and_goes_on(project: Project) -> None:
    plain = done(ordered(project, "of-now"))
    job = ordered(project, "of-before")
    order = job.read_order()
    for name in ("network", "factor"):
        del order.args["settings"]["training"][name]
    job.write_order(order)
    assert losses(done(stopped_at(job, 3))) == losses(plain)
    assert TrainingSettings.model_validate({}).network is Network.LORA


def test_a_measurement_of_an_earlier_version_is_a_lora_s() -> None:
    setting = {"device": "A", "base": "SDXL", "dtype": "bfloat16", "optimizer": "adamw", "resolution": 1024, "batch": 1,
               "accumulation": 1, "rank": 16, "checkpointing": False, "text_encoders": False}  # fmt: skip
    record = {"kind": "run", "t": 1.0, "steps": 20, "seconds_per_step": 1.0, "spread": 0.1,
              "cpu_seconds_per_step": 1.0, "memory_gb": 9.0, "costs": {}, "setting": setting}  # fmt: skip
    found = Measured.read(record)
    assert found is not None
    assert found.setting.factor is None
    lokr = Measured.read(record | {"setting": setting | {"factor": 8}})
    assert lokr is not None
    assert not found.setting.scales_to(lokr.setting)


def test_passes_of_a_lokr_are_replayed_only_where_that_is_asked_for() -> None:
    arithmetic = arithmetic_of("sdxl", "SDXL")
    settings = TrainingSettings(network=Network.LOKR)
    fitting: MicrobatchPlan = fitting_for(settings, 1024, 139.0)
    assert not replays(settings, fitting, 139.0, arithmetic)
    assert replays(TrainingSettings(), fitting, 139.0, arithmetic)
    assert replays(TrainingSettings(network=Network.LOKR, graph="on"), fitting, 139.0, arithmetic)


def test_a_file_of_whole_matrices_says_no_rank(tmp_path: Path) -> None:
    unet = tiny().unet
    add_lokr(unet, 64, 2.0, 8, 3, TARGETS)
    facts = LoraFacts("jx265", 64, 2.0, "jx265", 64, factor=8)
    path = tmp_path / "whole.safetensors"
    write_lora(path, modules_of_peft(lora_state(unet), 2.0), facts, 1)
    header = read_header(path)
    assert (header.rank, all(each.whole for each in header.lokr.values())) == (None, True)
    training = {"network": "lokr", "factor": 8, "rank": 64, "network_weights": str(path)}
    check_start(Settings.model_validate({"training": training}))
    with pytest.raises(TrainingError, match=r"whole matrices alone, and training\.rank is 4"):
        check_start(Settings.model_validate({"training": training | {"rank": 4}}))
