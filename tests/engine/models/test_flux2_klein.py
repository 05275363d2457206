"""FLUX.2 klein: painted as diffusers paints it, trained by the loss that its own script has, reckoned as it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLFlux2, Flux2KleinPipeline, Flux2Transformer2DModel
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from peft import LoraConfig
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.utils.flop_counter import FlopCounterMode

from engine.errors import BaseModelError, PictureError
from engine.models.flow.noise import FlowNoise, linear_shift, shifted
from engine.models.flux2_klein.arithmetic import KleinArithmetic
from engine.models.flux2_klein.loaded import DOUBLE, SINGLE, KleinBase
from engine.models.flux2_klein.shape import PUBLISHED, size_of
from engine.models.flux2_klein.shape import shape_of as klein_shape_of
from engine.models.loading import load_base
from engine.models.locate import BaseKind, BaseModel, find_base
from engine.models.prediction import Prediction
from engine.models.registry import arithmetic_of, family_of, shape_of
from engine.models.shape import StepShape
from engine.models.usual_settings import family_in, painting_of, remarks_on_base
from engine.pictures.painting.pipeline import Painting
from engine.pictures.painting.request import Callbacks, GenerationParams, PromptSeed
from engine.settings import BaseSettings, Settings
from engine.settings.samplers import Sampler
from engine.training.data.batch import Batch
from engine.training.step.fused_lora import ADAPTER
from engine.training.step.lora_adapter import add_lora
from engine.training.step.loss import LossWeights, diffusion_loss
from engine.training.step.randomness import StepRandomness
from tests.support.kept_memory import kept_gb
from tests.support.tiny_klein import tiny_klein
from tools.make_base.klein_parts import TOKENS

PROMPT = "jx265 man, red shirt, blue background"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_klein(tmp_path_factory.mktemp("klein") / "base")


@pytest.fixture(scope="module")
def painting(folder: Path) -> Painting:
    return Painting(find_base(BaseSettings(model=str(folder))))


@pytest.fixture
def base(folder: Path) -> KleinBase:
    loaded = load_base(find_base(BaseSettings(model=str(folder))))
    assert isinstance(loaded, KleinBase)
    return loaded


def by_diffusers(folder: Path, **asked: object) -> Image.Image:
    pipeline = Flux2KleinPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    found: Image.Image = pipeline(
        prompt=PROMPT,
        generator=torch.Generator().manual_seed(7),
        max_sequence_length=TOKENS,
        text_encoder_out_layers=(1, 2, 3),
        **asked,
    ).images[0]
    return found


@pytest.mark.parametrize(("guidance", "size"), [(1.0, (64, 64)), (4.0, (96, 64))])
def test_a_seed_is_the_picture_that_diffusers_paints(
    folder: Path, painting: Painting, guidance: float, size: tuple[int, int]
) -> None:
    params = GenerationParams(steps=6, guidance=guidance, sampler=Sampler.EULER, width=size[0], height=size[1])
    [ours] = painting.paint(PROMPT, [7], params)
    theirs = by_diffusers(folder, num_inference_steps=6, guidance_scale=guidance, width=size[0], height=size[1])
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))


def test_pictures_alone_or_together_are_the_same(painting: Painting) -> None:
    params = GenerationParams(steps=3, guidance=2.0, sampler=Sampler.EULER, width=64, height=64)
    together = painting.paint(PROMPT, [1, 2], params)
    alone = [painting.paint(PROMPT, [seed], params)[0] for seed in (1, 2)]
    for one, other in zip(together, alone, strict=True):
        assert np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)).max() <= 1


def test_a_prompt_may_change_on_the_way(painting: Painting) -> None:
    params = GenerationParams(steps=4, guidance=1.0, sampler=Sampler.EULER, width=64, height=64)
    prompts = ("a man", "a woman, green hat", "[a man:a woman, green hat:0.5]")
    first, other, changing = (painting.paint(each, [1], params)[0].tobytes() for each in prompts)
    assert changing not in (first, other)


def test_a_picture_is_begun_from_another(painting: Painting, tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    Image.new("RGB", (64, 64), "orange").save(source)
    looks = {}
    for denoise in (0.2, 1.0):
        params = GenerationParams(steps=5, guidance=1.0, sampler=Sampler.EULER, width=64, height=64, denoise=denoise)
        [looks[denoise]] = painting.paint_together([PromptSeed(PROMPT, 3, source=source)], params)
    whole = painting.paint(
        PROMPT, [3], GenerationParams(steps=5, guidance=1.0, sampler=Sampler.EULER, width=64, height=64)
    )
    assert np.array_equal(np.asarray(looks[1.0]), np.asarray(whole[0])), "all noise: nothing of the source is left"
    assert not np.array_equal(np.asarray(looks[0.2]), np.asarray(whole[0]))


def test_a_picture_is_seen_while_it_forms(painting: Painting) -> None:
    seen: list[Image.Image] = []
    params = GenerationParams(steps=4, guidance=3.0, sampler=Sampler.EULER, width=64, height=96)
    painting.paint_together([PromptSeed(PROMPT, 1)], params, Callbacks(show=lambda some: seen.extend(some)))
    assert {each.size for each in seen} == {(8, 12)}


def test_a_sampler_that_is_none_of_its_own_is_refused(painting: Painting) -> None:
    with pytest.raises(PictureError, match=r"can't be painted with the sampler DPM\+\+ 2M: use Euler"):
        painting.paint(PROMPT, [1], GenerationParams(steps=2, guidance=1.0, sampler=Sampler.DPMPP_2M))


def test_a_card_too_small_for_all_parts_paints_the_same(
    folder: Path, painting: Painting, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = GenerationParams(steps=3, guidance=3.0, sampler=Sampler.EULER, width=64, height=64)
    [whole] = painting.paint(PROMPT, [5], params)
    told: list[str] = []
    monkeypatch.setattr("engine.pictures.painting.pipeline.fits_whole", lambda *_: False)
    apart = Painting(find_base(BaseSettings(model=str(folder))), tell=lambda what, _why: told.append(what))
    [same] = apart.paint(PROMPT, [5], params)
    assert told == ["only the part of the model in use stays on the GPU"]
    assert np.array_equal(np.asarray(whole), np.asarray(same))


def test_latents_are_those_of_diffusers_and_come_back(folder: Path, base: KleinBase) -> None:
    pipeline = Flux2KleinPipeline.from_pretrained(folder, dtype=torch.float32)
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        theirs = pipeline._encode_vae_image(pixels, torch.Generator())
        raw = base.vae.encode(pixels).latent_dist.mode()
        ours = base.normalise(raw)
    assert torch.equal(ours, theirs)
    assert torch.allclose(base.denormalise(ours), raw, atol=1e-5)


def test_loss_and_gradients_are_those_of_diffusers_own_script(folder: Path, base: KleinBase) -> None:
    """``examples/dreambooth/train_dreambooth_lora_flux2_klein.py``: packed latents, ε - x, the mean of all squares."""
    chance = torch.Generator().manual_seed(5)
    clean, noise = (torch.randn(2, 16, 8, 8, generator=chance) for _ in range(2))
    sigmas = torch.tensor([0.3, 0.8])
    text = torch.stack([base.encode_caption(each, "cpu")["prompt_embeds"] for each in (PROMPT, "a woman")])
    add_lora(base.denoiser, 4, 4.0, 9, base.lora_targets)
    batch = Batch(clean, {}, {"prompt_embeds": text}, None, None)
    randomness = StepRandomness(sigmas, noise, (False, False), (0, 0))
    ours = diffusion_loss(
        lambda noisy, times, seen: base.predict(base.denoiser, noisy, times, seen),
        batch,
        base.noise(),
        LossWeights(gamma=5.0),
        randomness,
    )
    ours.backward()

    pipeline = Flux2KleinPipeline.from_pretrained(folder, dtype=torch.float32)
    reference = pipeline.transformer.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        reference.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=list(base.lora_targets)))
    level = sigmas.view(-1, 1, 1, 1)
    noisy = (1.0 - level) * clean + level * noise
    said = reference(
        hidden_states=Flux2KleinPipeline._pack_latents(noisy),
        timestep=sigmas,
        guidance=None,
        encoder_hidden_states=text,
        txt_ids=Flux2KleinPipeline._prepare_text_ids(text),
        img_ids=Flux2KleinPipeline._prepare_latent_ids(clean),
        return_dict=False,
    )[0]
    said = Flux2KleinPipeline._unpack_latents_with_ids(said, Flux2KleinPipeline._prepare_latent_ids(clean), 8, 8)
    theirs = torch.mean((said.float() - (noise - clean).float()).square().reshape(2, -1), 1).mean()
    theirs.backward()
    assert torch.allclose(ours, theirs, rtol=1e-6)
    gradients = [
        {name: each.grad for name, each in model.named_parameters() if each.requires_grad}
        for model in (base.denoiser, reference)
    ]
    mine = {name.split(".lora_")[0] + name.rsplit(".lora_", 1)[1][0]: each for name, each in gradients[0].items()}
    other = {name.split(".lora_")[0] + name.rsplit(".lora_", 1)[1][0]: each for name, each in gradients[1].items()}
    assert mine.keys() == other.keys()
    assert len(mine) == 2 * (12 + 2 * 2)
    for name, gradient in mine.items():
        assert gradient is not None
        assert torch.allclose(gradient, other[name], rtol=1e-4, atol=1e-7), name


@pytest.mark.parametrize("tokens", [64, 256, 1024, 4096])
def test_sigmas_are_shifted_by_the_tokens_of_the_packed_picture(base: KleinBase, tokens: int) -> None:
    side = int(tokens**0.5)
    expected = torch.tensor(calculate_shift(tokens, 256, 4096, 0.5, 1.15)).exp()
    assert linear_shift(tokens, 0.5, 1.15, 256, 4096) == pytest.approx(float(expected))
    assert base.noise().shift_of((16, side, side)) == pytest.approx(float(expected))


def test_sigmas_are_drawn_as_a_shifted_sigmoid_of_normal_numbers() -> None:
    noise = FlowNoise(lambda _shape: 3.0)
    drawn = noise.draw(20_000, torch.Generator().manual_seed(1), (16, 8, 8))
    again = noise.draw(20_000, torch.Generator().manual_seed(1), (16, 8, 8))
    assert torch.equal(drawn, again)
    assert drawn.min() > 0
    assert drawn.max() < 1
    # The median of a sigmoid of N(0, 1) is a half, which the shift takes to 3 / 4.
    assert float(drawn.median()) == pytest.approx(0.75, abs=0.01)
    assert torch.allclose(shifted(torch.tensor([0.5]), 3.0), torch.tensor([0.75]))
    assert noise.spread(4, (16, 8, 8)).tolist() == sorted(noise.spread(4, (16, 8, 8)).tolist())


def published(rank: int | None = None, again: bool = False, dropout: float = 0.0) -> Flux2Transformer2DModel:
    """The 4B's transformer without numbers, with a LoRA of a rank and gradient checkpointing."""
    with torch.device("meta"):
        model = Flux2Transformer2DModel(
            patch_size=1,
            in_channels=128,
            num_layers=5,
            num_single_layers=20,
            attention_head_dim=128,
            num_attention_heads=24,
            joint_attention_dim=7680,
            guidance_embeds=False,
        ).requires_grad_(False)
        if rank is not None:
            targets = [f"transformer_blocks.{n}.{name}" for n in range(5) for name in DOUBLE]
            targets += [f"single_transformer_blocks.{n}.{name}" for n in range(20) for name in SINGLE]
            lora = LoraConfig(r=rank, lora_alpha=rank, lora_dropout=dropout, target_modules=targets)
            model.add_adapter(lora, adapter_name=ADAPTER)
            model.train()
        if again:
            model.enable_gradient_checkpointing()
    return model


def seen(model: Flux2Transformer2DModel, side: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """What it says of a picture of that side in pixels."""
    tokens = (side // 16) ** 2
    said: torch.Tensor = model(
        hidden_states=torch.empty(1, tokens, 128, dtype=dtype),
        encoder_hidden_states=torch.empty(1, 512, 7680, dtype=dtype),
        timestep=torch.empty(1, dtype=dtype),
        img_ids=torch.empty(1, tokens, 4),
        txt_ids=torch.empty(1, 512, 4),
        guidance=None,
        return_dict=False,
    )[0]
    return said


@pytest.mark.parametrize("side", [512, 1024])
def test_a_forward_pass_is_what_pytorch_counts(side: int) -> None:
    model = published()
    with torch.device("meta"), FlopCounterMode(display=False) as counted:
        seen(model, side)
    size = PUBLISHED["FLUX.2 klein 4B"]
    reckoned = KleinArithmetic(size).forward_tflop((side / 1024) ** 2)
    assert reckoned == pytest.approx(counted.get_total_flops() / 1e12, rel=0.01)
    assert size.parameters == pytest.approx(sum(each.numel() for each in model.parameters()), rel=0.01)


@pytest.mark.parametrize(("side", "rank", "again"), [(512, 8, False), (1024, 32, True)])
def test_a_step_is_what_pytorch_counts(side: int, rank: int, again: bool) -> None:
    model = published(rank, again)
    with torch.device("meta"), FlopCounterMode(display=False) as counted:
        seen(model, side).sum().backward()
    shape = StepShape(side, 1, rank, gradient_checkpointing=again)
    reckoned = KleinArithmetic(PUBLISHED["FLUX.2 klein 4B"]).step_tflop(shape)
    assert reckoned == pytest.approx(counted.get_total_flops() / 1e12, rel=0.01)


@pytest.mark.parametrize(("side", "dropout", "again"), [(512, 0.0, False), (512, 0.1, False), (1024, 0.0, True)])
def test_memory_is_what_autograd_keeps(side: int, dropout: float, again: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = published(16, again, dropout).to(torch.bfloat16)
    counted = kept_gb(model, lambda: seen(model, side, torch.bfloat16), monkeypatch)
    arithmetic = KleinArithmetic(PUBLISHED["FLUX.2 klein 4B"])
    reckoned = arithmetic.memory(StepShape(side, 1, 16, again), dropout=bool(dropout)).activations
    if again:
        # What the blocks keep between them; the one that is computed again comes on top.
        plain = arithmetic.memory(StepShape(side, 1, 16), dropout=bool(dropout)).activations
        counted += plain / 25
    assert reckoned == pytest.approx(counted, rel=0.02)


def test_decoding_is_what_pytorch_counts() -> None:
    with torch.device("meta"):
        vae = AutoencoderKLFlux2()
    with torch.device("meta"), FlopCounterMode(display=False) as counted:
        vae.decode(torch.empty(1, 32, 128, 128))
    reckoned = KleinArithmetic(PUBLISHED["FLUX.2 klein 4B"]).decoding_tflop(1.0)
    assert reckoned == pytest.approx(counted.get_total_flops() / 1e12, rel=0.01)


def test_a_base_is_known_by_its_folder_and_its_size_told(folder: Path) -> None:
    found = find_base(BaseSettings(model=str(folder)))
    assert found.noise is not None
    assert found.noise.prediction is Prediction.FLOW
    assert found.noise.words() == "predicts a rectified flow, by its scheduler's configuration"
    assert family_of(found).title == "FLUX.2 klein"
    shape = shape_of(found)
    assert (shape.name, shape.resolution, shape.grain) == ("klein 32 x 1+2", 64, 8)
    assert size_of(shape.name).width == 32
    assert arithmetic_of(shape.family, shape.name).forward_tflop(1.0) > 0
    hub = BaseModel(BaseKind.HUB, "black-forest-labs/FLUX.2-klein-base-9B")
    assert klein_shape_of(hub).name == "FLUX.2 klein 9B"
    assert family_of(hub).title == "FLUX.2 klein", "though it was not fetched yet"
    assert family_of(BaseModel(BaseKind.HUB, "stabilityai/stable-diffusion-xl-base-1.0")).title == "SDXL"


def test_a_transformer_alone_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "flux-2-klein-base-4b.safetensors"
    save_file({"double_stream_modulation_img.lin.weight": torch.zeros(2)}, path)
    with pytest.raises(BaseModelError, match=r"needs its text encoder and VAE .*: give its diffusers folder"):
        load_base(find_base(BaseSettings(model=str(path))))


def test_damaged_weights_are_told_by_name(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "damaged"))
    path = copy / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["x_embedder.weight"][0, 0] = float("nan")
    save_file(tensors, path)
    with pytest.raises(BaseModelError, match=r"is damaged: .* such as transformer.x_embedder.weight"):
        load_base(find_base(BaseSettings(model=str(copy))))


def test_what_the_family_is_usually_painted_with_fills_what_is_not_set(folder: Path) -> None:
    settings = Settings.model_validate({"base": {"model": str(folder)}})
    assert (painting_of(settings).sampler, painting_of(settings).guidance_scale) == (Sampler.EULER, 4.0)
    own = Settings.model_validate({"base": {"model": str(folder)}, "painting": {"guidance_scale": 2.5}})
    assert (painting_of(own).sampler, painting_of(own).guidance_scale) == (Sampler.EULER, 2.5)
    assert painting_of(Settings()).sampler is Sampler.DPMPP_2M, "SDXL's are the defaults"


def test_another_model_under_the_same_name_is_noticed(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "base"))
    settings = Settings.model_validate({"base": {"model": str(copy)}})
    assert family_in(settings).title == "FLUX.2 klein"
    index = copy / "model_index.json"
    index.write_text(index.read_text().replace("Flux2KleinPipeline", "StableDiffusionXLPipeline"))
    os.utime(index, ns=(1, 1))
    assert family_in(settings).title == "SDXL"


def test_settings_remarks_on_base_are_told(folder: Path) -> None:
    chosen = {"base": {"model": str(folder)}, "training": {"min_snr_gamma": 3.0, "noise_offset": 0.05}}
    assert remarks_on_base(Settings.model_validate(chosen)) == [
        "training.min_snr_gamma has no effect: FLUX.2 klein follows a rectified flow",
        "training.noise_offset has no effect: FLUX.2 klein follows a rectified flow",
    ]
    assert remarks_on_base(Settings.model_validate({"training": {"noise_offset": 0.05}})) == []
