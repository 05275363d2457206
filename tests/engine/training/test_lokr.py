"""Training LoKr: as peft computes it, killed and resumed bit for bit, from a file, counted before it begins."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ConfigMixin, Flux2Transformer2DModel, ModelMixin, UNet2DConditionModel
from diffusers.loaders import PeftAdapterMixin
from peft import LoKrConfig
from safetensors.torch import load_file

from engine import events
from engine.errors import LoraFileError, ProjectError, TrainingError
from engine.jobs.folder import JobFolder
from engine.kronecker import factorization, lokr_shape, trained_weights
from engine.lora.file import modules_of_peft, read_contents, write_lora
from engine.lora.header import read_header
from engine.lora.metadata import LoraFacts
from engine.lora.module_names import Part
from engine.models.flux2_klein.loaded import DOUBLE, SINGLE
from engine.models.flux2_klein.shape import PUBLISHED
from engine.models.locate import find_base
from engine.models.registry import arithmetic_of
from engine.models.sdxl.loaded import TARGETS
from engine.models.sdxl.loading import Pipeline, load_pipeline
from engine.models.sdxl.memory import LINEARS
from engine.models.shape import StepShape
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


def test_where_both_matrices_are_whole_alpha_does_not_scale(project: Project) -> None:
    pipeline = tiny()
    add_lokr(pipeline.unet, 64, 2.0, 8, 3, TARGETS)
    scales = {
        ("lokr_w2" in name, module.scaling["limner"])
        for module in pipeline.unet.modules()
        if hasattr(module, "lokr_w2")
        for name in ["lokr_w2" if "limner" in module.lokr_w2 else ""]
    }
    assert scales == {(True, 1.0)}


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


def counted(model: Any, targets: list[str], rank: int, factor: int) -> int:
    with torch.device("meta"):
        return sum(each.numel() for each in add_lokr(model, rank, float(rank), factor, 0, targets))


NETWORKS = [(16, 8), (16, 16), (320, 16), (4, -1), (64, 4)]


@pytest.mark.parametrize(("rank", "factor"), NETWORKS)
def test_what_sdxl_trains_is_counted_beforehand(rank: int, factor: int) -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            sample_size=128,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(320, 640, 1280),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        )
    found = counted(unet, list(TARGETS), rank, factor)
    assert trained_weights(LINEARS, rank, factor) == pytest.approx(found, rel=0.01)
    shape = StepShape(1024, 1, rank, factor=factor)
    gb = arithmetic_of("sdxl", "SDXL").memory(shape, "adamw").lora
    assert gb == pytest.approx(found * 16 / 1e9, rel=0.01)


@pytest.mark.parametrize(("rank", "factor"), NETWORKS)
def test_what_klein_trains_is_counted_beforehand(rank: int, factor: int) -> None:
    with torch.device("meta"):
        model = Flux2Transformer2DModel(
            patch_size=1, in_channels=128, num_layers=5, num_single_layers=20, attention_head_dim=128,
            num_attention_heads=24, joint_attention_dim=7680, guidance_embeds=False)  # fmt: skip
    targets = [f"transformer_blocks.{n}.{name}" for n in range(5) for name in DOUBLE]
    targets += [f"single_transformer_blocks.{n}.{name}" for n in range(20) for name in SINGLE]
    found = counted(model, targets, rank, factor)
    assert trained_weights(PUBLISHED["FLUX.2 klein 4B"].sizes, rank, factor) == pytest.approx(found, rel=0.01)
    arithmetic = arithmetic_of("flux2-klein", "FLUX.2 klein 4B")
    assert arithmetic.memory(StepShape(1024, 1, rank, factor=factor)).lora == pytest.approx(found * 16 / 1e9, rel=0.01)


@pytest.mark.parametrize(("family", "size"), [("sdxl", "SDXL"), ("flux2-klein", "FLUX.2 klein 4B")])
def test_a_lokr_is_told_to_take_little_more_than_a_lora(family: str, size: str) -> None:
    arithmetic = arithmetic_of(family, size)
    plain, lokr = StepShape(1024, 1, 16), StepShape(1024, 1, 16, factor=8)
    assert arithmetic.step_tflop(lokr) == pytest.approx(arithmetic.step_tflop(plain), rel=0.05)
    assert arithmetic.memory(lokr).lora < arithmetic.memory(plain).lora / 3
    assert arithmetic.memory(lokr).activations >= arithmetic.memory(plain).activations


class OneLinear(ModelMixin, ConfigMixin, PeftAdapterMixin):  # type: ignore[misc]
    """A model of one linear, as diffusers' are."""

    config_name = "config.json"

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.only = torch.nn.Linear(inputs, outputs)


@pytest.mark.parametrize("rank", [16, 320])
@pytest.mark.parametrize(("inputs", "outputs"), [(640, 5120), (5120, 640), (1280, 1280)])
def test_what_is_kept_for_the_way_back_is_counted_beforehand(inputs: int, outputs: int, rank: int) -> None:
    model = OneLinear(inputs, outputs)
    add_lokr(model, rank, float(rank), 8, 0, ["only"])
    own = {each.untyped_storage().data_ptr() for each in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        memory = tensor.untyped_storage()
        if memory.data_ptr() not in own:
            kept[memory.data_ptr()] = memory.nbytes() // 4
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        seen = model.only(torch.randn(2, 32, inputs, requires_grad=True))
    assert seen.shape == (2, 32, outputs)
    assert sum(kept.values()) == 64 * (inputs + lokr_shape(inputs, outputs, rank, 8).kept)


def test_passes_of_a_lokr_are_replayed_only_where_that_is_asked_for() -> None:
    arithmetic = arithmetic_of("sdxl", "SDXL")
    settings = TrainingSettings(network=Network.LOKR)
    fitting: MicrobatchPlan = fitting_for(settings, 1024, 139.0)
    assert not replays(settings, fitting, 139.0, arithmetic)
    assert replays(TrainingSettings(), fitting, 139.0, arithmetic)
    assert replays(TrainingSettings(network=Network.LOKR, graph="on"), fitting, 139.0, arithmetic)


@pytest.mark.parametrize("factor", [-1, 2, 4, 8, 10, 16, 25])
def test_sides_are_divided_as_peft_and_lycoris_do(factor: int) -> None:
    from peft.tuners.lokr.layer import factorization as by_peft

    for side in (64, 96, 127, 128, 250, 360, 512, 640, 768, 1024, 1280, 2048, 2560, 3072, 5120, 9216, 10240, 27648):
        assert factorization(side, factor) == by_peft(side, factor)
    # The table in LyCORIS' docstring.
    assert [factorization(360, each) for each in (-1, 2, 4, 8)] == [(18, 20), (2, 180), (4, 90), (8, 45)]
    assert lokr_shape(1280, 640, 16, 8).right == (80, 160)


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
