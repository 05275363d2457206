"""Z-Image: painted as diffusers paints it, trained by the loss that its own script has, reckoned as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, ZImagePipeline, ZImageTransformer2DModel
from peft import LoraConfig
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.utils.flop_counter import FlopCounterMode

from engine.errors import BaseModelError, PictureError
from engine.models.device import choose_device
from engine.models.flow.noise import shifted
from engine.models.loading import load_base
from engine.models.locate import BaseKind, BaseModel, find_base
from engine.models.prediction import Prediction
from engine.models.registry import arithmetic_of, family_of, shape_of
from engine.models.shape import StepShape
from engine.models.usual_settings import painting_of, remarks_on_base
from engine.models.z_image.arithmetic import TEXT_TOKENS, ZImageArithmetic
from engine.models.z_image.loaded import TARGETS, ZImageBase
from engine.models.z_image.prompt_encoder import EMBEDS, MASK
from engine.models.z_image.shape import PUBLISHED, size_of
from engine.pictures.orders.picture import Hires, Upscaler
from engine.pictures.painting.pipeline import Painting
from engine.pictures.painting.request import Callbacks, GenerationParams, PromptSeed
from engine.settings import BaseSettings, Settings
from engine.settings.samplers import Sampler
from engine.training.data.batch import Batch
from engine.training.data.latent_cache import _texts
from engine.training.step.fused_lora import ADAPTER
from engine.training.step.lora_adapter import add_lora
from engine.training.step.loss import LossWeights, diffusion_loss
from engine.training.step.memory_fallback import fitting_for, replays
from engine.training.step.randomness import StepRandomness
from tests.support.kept_memory import kept_gb
from tests.support.tiny_z_image import tiny_z_image

PROMPT = "jx265 man, red shirt, blue background"
LONG = ", ".join([PROMPT] * 5)
"""Of more than 32 tokens, to a multiple of which texts are filled up."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_z_image(tmp_path_factory.mktemp("z") / "base")


@pytest.fixture(scope="module")
def painting(folder: Path) -> Painting:
    return Painting(find_base(BaseSettings(model=str(folder))))


@pytest.fixture
def base(folder: Path) -> ZImageBase:
    loaded = load_base(find_base(BaseSettings(model=str(folder))))
    assert isinstance(loaded, ZImageBase)
    return loaded


def euler(steps: int, guidance: float, width: int = 64, height: int = 64, **more: object) -> GenerationParams:
    return GenerationParams(
        steps=steps, guidance=guidance, sampler=Sampler.EULER, width=width, height=height,
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def by_diffusers(folder: Path, prompt: str, **asked: object) -> Image.Image:
    pipeline = ZImagePipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    found: Image.Image = pipeline(prompt=prompt, generator=torch.Generator().manual_seed(7), **asked).images[0]
    return found


def differ(one: Image.Image, other: Image.Image) -> int:
    """The most levels of 255 by which two pictures differ."""
    return int(np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)).max())


@pytest.mark.parametrize(
    ("guidance", "size", "prompt", "negative"),
    [(1.0, (64, 64), PROMPT, ""), (5.0, (96, 64), PROMPT, ""), (2.5, (64, 72), LONG, "hat, green background")],
)
def test_a_seed_is_the_picture_that_diffusers_paints(
    folder: Path, painting: Painting, guidance: float, size: tuple[int, int], prompt: str, negative: str
) -> None:
    """Its guidance scale is the usual one less 1: it adds to the prompt's where others add to the negative's."""
    [ours] = painting.paint(prompt, [7], euler(6, guidance, *size, negative=negative))
    asked = {"num_inference_steps": 6, "guidance_scale": guidance - 1, "width": size[0], "height": size[1]}
    theirs = by_diffusers(folder, prompt, negative_prompt=negative, **asked)
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))
    assert differ(ours, painting.paint(prompt, [8], euler(6, guidance, *size))[0]) > 20, "and no picture is flat"


def test_pictures_alone_or_together_are_the_same(painting: Painting) -> None:
    params = euler(3, 2.0)
    subjects = [PromptSeed(PROMPT, 1), PromptSeed("a man", 2), PromptSeed(LONG, 3), PromptSeed("a man", 4, "hat")]
    together = painting.paint_together(subjects, params)
    for subject, picture in zip(subjects, together, strict=True):
        assert differ(picture, painting.paint_together([subject], params)[0]) <= 1


def test_a_prompt_may_change_on_the_way_to_one_of_another_length(painting: Painting) -> None:
    changing, params = f"[a man:{LONG}:0.5]", euler(4, 3.0)
    [seen] = painting.paint(changing, [1], params)
    for whole in ("a man", LONG):
        assert differ(seen, painting.paint(whole, [1], params)[0]) > 5


def test_a_picture_is_begun_from_another(painting: Painting, tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    Image.new("RGB", (64, 64), "orange").save(source)
    looks = {}
    for denoise in (0.2, 1.0):
        [looks[denoise]] = painting.paint_together(
            [PromptSeed(PROMPT, 3, source=source)], euler(5, 1.0, denoise=denoise)
        )
    whole = painting.paint(PROMPT, [3], euler(5, 1.0))[0]
    assert np.array_equal(np.asarray(looks[1.0]), np.asarray(whole)), "all noise: nothing of the source is left"
    assert not np.array_equal(np.asarray(looks[0.2]), np.asarray(whole))


def test_a_second_larger_pass_is_painted(painting: Painting) -> None:
    hires = Hires(scale=1.5, denoise=0.5, upscaler=Upscaler.LATENT)
    assert painting.paint(PROMPT, [3], euler(3, 1.0, hires=hires))[0].size == (96, 96)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_a_picture_is_seen_while_it_forms(painting: Painting, guidance: float) -> None:
    seen: list[Image.Image] = []
    shown = Callbacks(show=lambda some: seen.extend(some))
    painting.paint_together([PromptSeed(PROMPT, 1)], euler(4, guidance, 64, 96), shown)
    assert {each.size for each in seen} == {(16, 24)}
    assert len(seen) == 1, "one picture, though the negative prompt is seen at once"


def test_sides_that_its_patches_do_not_fill_are_refused(painting: Painting) -> None:
    with pytest.raises(PictureError, match="68x64 is invalid: this base model needs multiples of 8 pixels"):
        painting.paint(PROMPT, [1], euler(2, 1.0, 68))


def test_a_sampler_that_is_none_of_its_own_is_refused(painting: Painting) -> None:
    with pytest.raises(PictureError, match=r"Z-Image can't be painted with the sampler DPM\+\+ 2M: use Euler"):
        painting.paint(PROMPT, [1], GenerationParams(steps=2, guidance=1.0, sampler=Sampler.DPMPP_2M))


def test_latents_are_those_of_diffusers_and_come_back(base: ZImageBase) -> None:
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        raw = base.vae.encode(pixels).latent_dist.mode()
    ours = base.normalise(raw)
    assert torch.equal(ours, (raw - 0.1159) * 0.3611)
    assert torch.allclose(base.denormalise(ours), raw, atol=1e-5)


def test_texts_are_those_of_diffusers_as_long_as_they_are(folder: Path, base: ZImageBase) -> None:
    pipeline = ZImagePipeline.from_pretrained(folder, dtype=torch.float32)
    for text in ("", PROMPT, LONG):
        [theirs], _ = pipeline.encode_prompt(text, "cpu", do_classifier_free_guidance=False)
        ours = base.encode_caption(text, "cpu")
        assert torch.equal(ours[EMBEDS], theirs)
        assert ours[MASK].tolist() == [True] * len(theirs)
    assert not base.too_long(LONG)
    assert base.too_long(LONG * 20)


def encoded(base: ZImageBase, captions: list[str], cache: Path) -> dict[str, torch.Tensor]:
    """Captions as a run encodes and keeps them, twice: the second time they are read."""
    for _ in range(2):
        found = _texts(base, captions, cache, choose_device(), lambda *_: None)
    return found


def test_a_batch_of_captions_of_any_length_is_each_by_itself(base: ZImageBase, tmp_path: Path) -> None:
    captions = ["", LONG, "a man", PROMPT]
    text = encoded(base, captions, tmp_path)
    assert text[EMBEDS].shape[:2] == text[MASK].shape
    noisy = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    times = torch.tensor([0.2, 0.4, 0.6, 0.8])
    with torch.no_grad():
        together = base.predict(base.denoiser, noisy, times, text)
        for number, caption in enumerate(captions):
            own = {name: each[None] for name, each in base.encode_caption(caption, "cpu").items()}
            alone = base.predict(base.denoiser, noisy[[number]], times[[number]], own)
            assert torch.allclose(together[number], alone[0], atol=1e-4, rtol=1e-4)
        others = base.predict(base.denoiser, noisy, times, {name: each.flip(0) for name, each in text.items()})
    assert (others - together).abs().amax(dim=(1, 2, 3)).min() > 0.05, "and it matters which caption it is"


def test_half_precision_says_nearly_the_same(folder: Path, base: ZImageBase, tmp_path: Path) -> None:
    half = load_base(find_base(BaseSettings(model=str(folder))), torch.bfloat16)
    text = encoded(base, [PROMPT, LONG], tmp_path)
    noisy, times = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1)), torch.tensor([0.3, 0.9])
    with torch.no_grad():
        whole = base.predict(base.denoiser, noisy, times, text)
        rounded = half.predict(half.denoiser, noisy, times, text)
    assert rounded.dtype == torch.bfloat16
    assert float((rounded.float() - whole).norm() / whole.norm()) < 0.1


def test_loss_and_gradients_are_those_of_diffusers_own_script(folder: Path, base: ZImageBase, tmp_path: Path) -> None:
    """``examples/dreambooth/train_dreambooth_lora_z_image.py``: lists, 1 - σ, the sign turned, ε - x, all squares."""
    chance = torch.Generator().manual_seed(5)
    clean, noise = (torch.randn(2, 4, 8, 8, generator=chance) for _ in range(2))
    sigmas = torch.tensor([0.3, 0.8])
    add_lora(base.denoiser, 4, 4.0, 9, base.lora_targets)
    with torch.no_grad():
        for name, each in base.denoiser.named_parameters():
            if ".lora_B." in name:
                each.normal_(std=0.05, generator=chance)
    batch = Batch(clean, {}, encoded(base, [PROMPT, LONG], tmp_path), None, None)
    randomness = StepRandomness(sigmas, noise, (False, False), (0, 0))
    ours = diffusion_loss(
        lambda noisy, times, seen: base.predict(base.denoiser, noisy, times, seen),
        batch,
        base.noise(),
        LossWeights(gamma=5.0),
        randomness,
    )
    ours.backward()

    pipeline = ZImagePipeline.from_pretrained(folder, dtype=torch.float32)
    texts, _ = pipeline.encode_prompt([PROMPT, LONG], "cpu", do_classifier_free_guidance=False)
    reference = pipeline.transformer.requires_grad_(False)
    reference.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=list(base.lora_targets)))
    theirs_by_place = {place(name): each for name, each in reference.named_parameters() if each.requires_grad}
    mine_by_place = {place(name): each for name, each in base.denoiser.named_parameters() if each.requires_grad}
    with torch.no_grad():
        for name, each in theirs_by_place.items():
            each.copy_(mine_by_place[name])
    level = sigmas.view(-1, 1, 1, 1)
    noisy = ((1.0 - level) * clean + level * noise).unsqueeze(2)
    said = reference(list(noisy.unbind(0)), (1000 - 1000 * sigmas) / 1000, texts, return_dict=False)[0]
    said = -torch.stack(said, dim=0).squeeze(2)
    theirs = torch.mean(((said.float() - (noise - clean).float()) ** 2).reshape(2, -1), 1).mean()
    theirs.backward()
    assert torch.allclose(ours, theirs, rtol=1e-6)
    assert mine_by_place.keys() == theirs_by_place.keys()
    assert len(mine_by_place) == 2 * 7 * 2
    for name, mine in mine_by_place.items():
        assert mine.grad is not None
        other, most = theirs_by_place[name].grad, float(mine.grad.abs().max())
        assert most > 0
        # A thousandth of a noise level is a radian to the fastest of what tells it: its last digit is seen.
        assert torch.allclose(mine.grad, other, rtol=1e-4, atol=1e-4 * most), name


def place(name: str) -> str:
    """A LoRA's matrix, whatever the adapter is called."""
    return name.split(".lora_")[0] + name.rsplit(".lora_", 1)[1][0]


def test_sigmas_are_shifted_as_its_scheduler_shifts_them(folder: Path, base: ZImageBase) -> None:
    scheduler = ZImagePipeline.from_pretrained(folder, dtype=torch.float32).scheduler
    even = torch.linspace(1, 1 / 1000, 1000)
    assert base.noise().shift_of((4, 16, 16)) == scheduler.config.shift == 3.0
    assert torch.allclose(shifted(even, 3.0), scheduler.sigmas[:1000])


def published(rank: int | None = None, again: bool = False, dropout: float = 0.0) -> ZImageTransformer2DModel:
    """The published transformer without numbers, with a LoRA of a rank and gradient checkpointing."""
    with torch.device("meta"):
        model = ZImageTransformer2DModel().requires_grad_(False)
        if rank is not None:
            targets = [f"layers.{number}.{name}" for number in range(30) for name in TARGETS]
            lora = LoraConfig(r=rank, lora_alpha=rank, lora_dropout=dropout, target_modules=targets)
            model.add_adapter(lora, adapter_name=ADAPTER)
            model.train()
        if again:
            model.enable_gradient_checkpointing()
    # What tells places is looked up by their numbers, which the meta device has not.
    model.rope_embedder = lambda places: torch.empty(len(places), 64, dtype=torch.complex64, device="meta")
    return model


def seen(model: ZImageTransformer2DModel, side: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """What it says of a picture of that side in pixels."""
    picture, text = torch.empty(16, 1, side // 8, side // 8, dtype=dtype), torch.empty(TEXT_TOKENS, 2560, dtype=dtype)
    said: list[torch.Tensor] = model([picture], torch.empty(1), [text], return_dict=False)[0]
    return said[0]


@pytest.mark.parametrize("side", [512, 1024])
def test_a_forward_pass_is_what_pytorch_counts(side: int) -> None:
    model = published()
    with torch.device("meta"), FlopCounterMode(display=False) as counted:
        seen(model, side)
    reckoned = ZImageArithmetic(PUBLISHED).forward_tflop((side / 1024) ** 2)
    assert reckoned == pytest.approx(counted.get_total_flops() / 1e12, rel=0.01)
    parameters = sum(each.numel() for each in model.parameters())
    assert PUBLISHED.parameters == pytest.approx(parameters, rel=0.01)
    assert parameters == pytest.approx(6.15e9, rel=0.01)


@pytest.mark.parametrize(("side", "rank", "again"), [(512, 8, False), (1024, 32, True)])
def test_a_step_is_what_pytorch_counts(side: int, rank: int, again: bool) -> None:
    model = published(rank, again)
    with torch.device("meta"), FlopCounterMode(display=False) as counted:
        seen(model, side).sum().backward()
    shape = StepShape(side, 1, rank, gradient_checkpointing=again)
    reckoned = ZImageArithmetic(PUBLISHED).step_tflop(shape)
    assert reckoned == pytest.approx(counted.get_total_flops() / 1e12, rel=0.01)


@pytest.mark.parametrize(("side", "dropout", "again"), [(512, 0.0, False), (512, 0.1, False), (1024, 0.0, True)])
def test_memory_is_what_autograd_keeps(side: int, dropout: float, again: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = published(16, again, dropout).to(torch.bfloat16)
    counted = kept_gb(model, lambda: seen(model, side, torch.bfloat16), monkeypatch)
    arithmetic = ZImageArithmetic(PUBLISHED)
    reckoned = arithmetic.memory(StepShape(side, 1, 16, again), dropout=bool(dropout)).activations
    if again:
        # What the blocks keep between them; the one that is computed again comes on top.
        plain = arithmetic.memory(StepShape(side, 1, 16), dropout=bool(dropout)).activations
        counted += plain / PUBLISHED.blocks
    # What stands before the blocks is kept as well, and not counted.
    assert reckoned == pytest.approx(counted, rel=0.05 if again else 0.02)


def test_decoding_is_what_pytorch_counts() -> None:
    with torch.device("meta"):
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=16,
            use_quant_conv=False, use_post_quant_conv=False,
        )  # fmt: skip
    with torch.device("meta"), FlopCounterMode(display=False) as counted:
        vae.decode(torch.empty(1, 16, 128, 128))
    assert ZImageArithmetic(PUBLISHED).decoding_tflop(1.0) == pytest.approx(counted.get_total_flops() / 1e12, rel=0.01)


def test_a_base_is_known_by_its_folder_and_its_size_told(folder: Path) -> None:
    found = find_base(BaseSettings(model=str(folder)))
    assert found.noise is not None
    assert found.noise.prediction is Prediction.FLOW
    assert family_of(found).title == "Z-Image"
    shape = shape_of(found)
    assert (shape.name, shape.resolution, shape.grain, shape.patch) == ("Z-Image 32 x 2+1", 64, 8, 2)
    assert size_of(shape.name).width == 32
    assert arithmetic_of(shape.family, shape.name).forward_tflop(1.0) > 0
    assert not family_of(found).is_distilled(found)
    hub = BaseModel(BaseKind.HUB, "Tongyi-MAI/Z-Image-Turbo")
    assert family_of(hub).is_distilled(hub)
    assert family_of(hub).title == "Z-Image", "though it was not fetched yet"
    assert (shape_of(hub).name, shape_of(hub).grain) == ("Z-Image", 16)


def test_a_model_of_its_kind_with_another_pipeline_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "omni"))
    index = copy / "model_index.json"
    index.write_text(index.read_text().replace("ZImagePipeline", "ZImageOmniPipeline"))
    with pytest.raises(BaseModelError, match=r"is a ZImageOmniPipeline, which Limner can't train: use a model of: .*"):
        load_base(find_base(BaseSettings(model=str(copy))))


def test_passes_are_not_replayed_whatever_is_asked_for(folder: Path) -> None:
    """A CUDA graph would compute each caption at the first one's length."""
    settings = Settings.model_validate({"base": {"model": str(folder)}, "training": {"graph": "on"}})
    arithmetic = arithmetic_of("z-image", "Z-Image")
    assert not replays(settings.training, fitting_for(settings.training, 1024, 141.0), 141.0, arithmetic)
    assert remarks_on_base(settings) == [
        "training.graph has no effect: Z-Image computes each caption at its own length"
    ]


def test_a_transformer_alone_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "z_image_bf16.safetensors"
    save_file({"noise_refiner.0.attention.qkv.weight": torch.zeros(2), "cap_pad_token": torch.zeros(2)}, path)
    with pytest.raises(BaseModelError, match=r"Z-Image needs its text encoder and VAE .*: give its diffusers folder"):
        load_base(find_base(BaseSettings(model=str(path))))


def test_damaged_weights_are_told_by_name(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "damaged"))
    path = copy / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["cap_pad_token"][0, 0] = float("nan")
    save_file(tensors, path)
    with pytest.raises(BaseModelError, match=r"is damaged: .* such as transformer.cap_pad_token"):
        load_base(find_base(BaseSettings(model=str(copy))))


def test_a_vae_of_another_s_is_refused(folder: Path) -> None:
    with pytest.raises(BaseModelError, match=r"Z-Image is used with its own VAE: leave base\.vae out"):
        load_base(find_base(BaseSettings(model=str(folder), vae=str(folder / "vae"))))


def test_what_the_family_is_usually_painted_with_fills_what_is_not_set(folder: Path) -> None:
    settings = Settings.model_validate({"base": {"model": str(folder)}})
    assert (painting_of(settings).sampler, painting_of(settings).guidance_scale) == (Sampler.EULER, 5.0)
    own = Settings.model_validate({"base": {"model": str(folder)}, "painting": {"guidance_scale": 1.0}})
    assert painting_of(own).guidance_scale == 1.0
