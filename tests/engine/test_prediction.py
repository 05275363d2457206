"""Which prediction a base model wants is read, said, obeyed; what is neither is refused before anything is computed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from engine.doctor.base import base_check
from engine.errors import BaseModelError, ProjectError
from engine.models.locate import find_base
from engine.models.noise import DiscreteNoise
from engine.models.prediction import Prediction
from engine.models.sdxl.loading import load_pipeline, noise_schedule
from engine.project import Project
from engine.settings import BaseSettings
from engine.training.runs.start import start_training
from tests.commands.conftest import Ran
from tests.support.png import read_parameters
from tests.support.rows import usual
from tests.support.run_here import of_kind, ordered, run_here
from tests.support.small_project import random_lora, small_project
from tools.make_base.single_file import write_single_file
from tools.make_base.tiny_parts import TinyBase
from tui.cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("bases") / "base"
    shutil.copytree(find_base(BaseSettings(model="demo")).source, copy)
    return copy


@pytest.fixture(scope="module")
def single(folder: Path) -> dict[str, torch.Tensor]:
    path = folder.with_name("tiny.safetensors")
    write_single_file(TinyBase.load(folder), path)
    return load_file(path)


def with_scheduler(folder: Path, to: Path, **changes: Any) -> Path:
    """A copy of a base model whose scheduler says something else."""
    shutil.copytree(folder, to)
    path = to / "scheduler" / "scheduler_config.json"
    config = {**json.loads(path.read_text("utf-8")), **changes}
    path.write_text(json.dumps(config), "utf-8")
    if "_class_name" in changes:
        index = to / "model_index.json"
        record = json.loads(index.read_text("utf-8"))
        index.write_text(json.dumps({**record, "scheduler": ["diffusers", changes["_class_name"]]}), "utf-8")
    return to


EMPTY = torch.zeros(0)

FILES: dict[str, tuple[dict[str, torch.Tensor], dict[str, str], str, bool]] = {
    "NoobAI's keys": ({"v_pred": EMPTY, "ztsnr": EMPTY}, {}, "v_prediction", True),
    "v_pred alone": ({"v_pred": EMPTY}, {}, "v_prediction", False),
    "modelspec": ({}, {"modelspec.prediction_type": "v"}, "v_prediction", False),
    "modelspec, longer": ({}, {"modelspec.prediction_type": "V_Prediction"}, "v_prediction", False),
    "modelspec epsilon": ({}, {"modelspec.prediction_type": "epsilon"}, "epsilon", False),
    "nothing": ({}, {}, "epsilon", False),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_single_file_tells_what_it_predicts_by_its_header(
    kind: str, single: dict[str, torch.Tensor], folder: Path, tmp_path: Path
) -> None:
    tensors, about, prediction, zero = FILES[kind]
    path = tmp_path / "one.safetensors"
    save_file({**single, **tensors}, path, {"format": "pt", **about})
    settings = BaseSettings(model=str(path), config=folder)
    noise = find_base(settings).noise
    assert noise is not None
    assert (noise.prediction.value, noise.zero_snr) == (prediction, zero)
    pipeline = load_pipeline(find_base(settings))
    assert pipeline.scheduler.config.prediction_type == prediction
    trained = noise_schedule(pipeline)
    assert trained.config.prediction_type == prediction
    assert (float(trained.alphas_cumprod[-1]) == 0) == zero
    # And what a step is to learn is that.
    x, eps, at = torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 2.0), torch.tensor([999])
    learnt = float(DiscreteNoise.of(trained).target(x, eps, at))
    kept = float(trained.alphas_cumprod[-1])
    wanted = 2.0 if prediction == "epsilon" else kept**0.5 * 2 - (1 - kept) ** 0.5
    assert learnt == pytest.approx(wanted, abs=1e-5)


def test_the_settings_say_otherwise(single: dict[str, torch.Tensor], folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    save_file({**single, "v_pred": EMPTY, "ztsnr": EMPTY}, path)
    settings = BaseSettings(model=str(path), config=folder, prediction_type="epsilon", zero_terminal_snr=False)
    assert load_pipeline(find_base(settings)).scheduler.config.prediction_type == "epsilon"
    demo = find_base(BaseSettings(model="demo", prediction_type="v_prediction", zero_terminal_snr=True))
    assert demo.noise is not None
    assert demo.noise.words() == "predicts the velocity (v), zero terminal SNR, by the settings"
    assert load_pipeline(demo).scheduler.config.rescale_betas_zero_snr is True
    unknown = tmp_path / "unknown.safetensors"
    save_file(single, unknown, {"modelspec.prediction_type": "something new"})
    with pytest.raises(BaseModelError, match="something new"):
        find_base(BaseSettings(model=str(unknown), config=folder))
    told = find_base(BaseSettings(model=str(unknown), config=folder, prediction_type="epsilon")).noise
    assert told is not None
    assert told.prediction is Prediction.EPSILON


NEITHER: dict[str, tuple[dict[str, Any], str]] = {
    "EDM": ({"_class_name": "EDMDPMSolverMultistepScheduler", "sigma_data": 0.5}, "EDM's sigmas"),
    "EDM, Euler": ({"_class_name": "EDMEulerScheduler"}, "EDM's sigmas"),
    "CosXL": ({"timestep_type": "continuous", "prediction_type": "v_prediction"}, "EDM's sigmas"),
    "flow matching": ({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}, "flow matching"),
    "flow sigmas": ({"_class_name": "UniPCMultistepScheduler", "use_flow_sigmas": True}, "flow matching"),
    "flow prediction": ({"prediction_type": "flow_prediction"}, "flow_prediction"),
    "the picture itself": ({"prediction_type": "sample"}, "sample"),
}


@pytest.mark.parametrize("kind", NEITHER)
def test_what_is_neither_is_refused_before_a_run_folder_is_left(kind: str, folder: Path, tmp_path: Path) -> None:
    changes, says = NEITHER[kind]
    base = with_scheduler(folder, tmp_path / "other", **changes)
    project = small_project(tmp_path / "james", base__model=str(base))
    with pytest.raises(BaseModelError, match=f"made with .*{says}.*neither epsilon nor v"):
        start_training(project)
    assert not [each for each in project.runs.glob("*") if each.is_dir()]
    ran = limner(project, "paint", "a man", "--lora", "none")
    assert ran.code == 1
    assert "neither epsilon nor v" in ran.err
    assert limner(project, "queue", "--json").record["pictures"] == []
    check = base_check(project.settings.base)
    assert (check.ok, check.needed) == (False, True)


@pytest.mark.parametrize("name", ["edm_mean", "edm_vpred.sigma_max"])
def test_a_single_file_of_edms_is_refused_by_its_header(
    name: str, single: dict[str, torch.Tensor], folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "edm.safetensors"
    save_file({**single, name: torch.zeros(4)}, path)
    with pytest.raises(BaseModelError, match=f"EDM's sigmas .it has {name}"):
        find_base(BaseSettings(model=str(path), config=folder))


def limner(project: Project, *words: str) -> Ran:
    import io
    from contextlib import redirect_stderr, redirect_stdout

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(["-C", str(project.root), *words])
    return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())


@pytest.mark.long
def test_it_is_said_in_the_doctor_the_plan_the_picture_and_the_lora(
    single: dict[str, torch.Tensor], folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "noob.safetensors"
    save_file({**single, "v_pred": EMPTY, "ztsnr": EMPTY}, path)
    base = {"base__model": str(path), "base__config": str(folder)}
    project = small_project(tmp_path / "james", **base, training__epochs=1)
    says = "predicts the velocity (v), zero terminal SNR, by its tensors v_pred and ztsnr"
    assert says in limner(project, "estimate").out
    assert limner(project, "estimate", "--json").record["base"]["prediction"] == "v_prediction"
    job = ordered(project, "20261130-0900-jx265", training__sample_prompts=["a man"], **base)
    run_here(job)
    lora = next((job.path / "checkpoints").glob("jx265.safetensors"))
    with lora.open("rb") as file:
        about = json.loads(file.read(int.from_bytes(file.read(8), "little")))["__metadata__"]
    assert about["modelspec.prediction_type"] == "v"
    from engine import events

    (sample,) = of_kind(job, events.Sample)
    out = tmp_path / "a.png"
    assert limner(project, "paint", "a man", "--lora", str(lora), "-o", str(out)).code == 0
    for each in (job.path / sample.path, out):
        told = read_parameters(each)
        assert told is not None
        assert told.extra["Prediction type"] == "v"
        assert told.extra["Noise Schedule"] == "Zero Terminal SNR"
    big = Path(tmp_path / "big" / "base")
    with_scheduler(folder, big, prediction_type="v_prediction", rescale_betas_zero_snr=True)
    assert (
        "predicts the velocity (v), zero terminal SNR, by its scheduler's configuration"
        in base_check(BaseSettings(model=str(big))).detail
    )


def test_a_v_base_paints_another_picture_than_the_same_numbers_as_epsilon(tmp_path: Path) -> None:
    lora = random_lora(tmp_path / "a.safetensors")
    pictures = []
    for kind in ("epsilon", "v_prediction"):
        project = small_project(tmp_path / kind, base__prediction_type=kind)
        out = tmp_path / f"{kind}.png"
        ran = limner(project, "paint", "a man", "--lora", str(lora), "--seed", "3", "-o", str(out))
        assert ran.code == 0, ran.err
        pictures.append(np.asarray(Image.open(out)).astype(int))
    assert np.abs(pictures[0] - pictures[1]).mean() > 5


def test_a_setting_that_is_no_prediction_is_refused(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james")
    with pytest.raises(ProjectError, match=r"base\.prediction_type"):
        project.change({"base.prediction_type": "flow"})


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "text_encoder_2"])
@pytest.mark.parametrize("value", usual([float("nan"), float("inf")], 1))
def test_a_base_model_with_a_number_that_is_none_is_told_as_such(
    part: str, value: float, folder: Path, tmp_path: Path
) -> None:
    base = tmp_path / "broken"
    shutil.copytree(folder, base)
    path = next((base / part).glob("*.safetensors"))
    tensors = load_file(path)
    name = sorted(tensors)[3]
    tensors[name].view(-1)[0] = value
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(BaseModelError, match=rf"broken is damaged: 1 of its tensors .*{part}\.") as caught:
        load_pipeline(find_base(BaseSettings(model=str(base))))
    assert "copy or download the model again" in str(caught.value)


def test_neither_a_picture_nor_a_step_is_made_of_a_damaged_base(folder: Path, tmp_path: Path) -> None:
    from engine import events
    from engine.events import JobState

    base = tmp_path / "broken"
    shutil.copytree(folder, base)
    path = next((base / "unet").glob("*.safetensors"))
    tensors = load_file(path)
    tensors["conv_in.weight"][0, 0, 0, 0] = float("nan")
    save_file(tensors, path, {"format": "pt"})
    project = small_project(tmp_path / "james", base__model=str(base))
    ran = limner(project, "paint", "a man", "--lora", "none")
    assert ran.code == 1
    assert "is damaged: 1 of its tensors" in ran.err
    job = ordered(project, "20261130-0900-jx265", base__model=str(base))
    status = run_here(job)
    assert status.state is JobState.FAILED
    assert "is damaged" in str(status.error)
    assert not of_kind(job, events.Step)
