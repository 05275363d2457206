"""Names of LoRA modules: what is written is what every program looks for."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from engine.errors import LoraFileError
from engine.lora.file import pairs_of_peft
from engine.lora.module_names import Part, diffusers_name, kohya_name, sdxl_modules
from engine.models.sdxl.loaded import TARGETS, TEXT_TARGETS
from engine.training.step.lora_adapter import add_lora, lora_state

SDXL_UNET = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 2,
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
"""The configuration of stable-diffusion-xl-base-1.0's U-Net."""


@pytest.fixture(scope="module")
def full_unet() -> UNet2DConditionModel:
    with torch.device("meta"):
        return UNet2DConditionModel(**SDXL_UNET)


def test_a_lora_on_full_size_sdxl_has_kohyas_722_modules_of_the_unet(full_unet: UNet2DConditionModel) -> None:
    parameters = add_lora(full_unet, rank=2, alpha=1.0, seed=0, targets=TARGETS)
    pairs = pairs_of_peft(lora_state(full_unet), alpha=1.0)
    made = {kohya_name(module, part): (pair.down.shape[1], pair.up.shape[0]) for (part, module), pair in pairs.items()}
    wanted = {name: size for name, size in sdxl_modules().items() if name.startswith(Part.UNET)}
    assert made == wanted
    assert len(made) == 722
    assert sum(parameter.numel() for parameter in parameters) == 2 * 2_659_840


@pytest.mark.parametrize(
    ("part", "model", "size", "count"),
    [
        (Part.TE1, CLIPTextModel, {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12}, 72),
        (
            Part.TE2,
            CLIPTextModelWithProjection,
            {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20},
            192,
        ),
    ],
)
def test_a_lora_on_both_text_encoders_has_kohya_s_72_and_192_modules(
    part: Part, model: type, size: dict[str, int], count: int
) -> None:
    with torch.device("meta"):
        encoder = model(CLIPTextConfig(**size))
    add_lora(encoder, 2, 1.0, 0, TEXT_TARGETS)
    pairs = pairs_of_peft(lora_state(encoder), 1.0, part)
    made = {kohya_name(name, part): (pair.down.shape[1], pair.up.shape[0]) for (_, name), pair in pairs.items()}
    assert made == {name: sizes for name, sizes in sdxl_modules().items() if name.startswith(part)}
    assert len(made) == count


def test_every_name_of_sdxl_goes_there_and_back() -> None:
    for name in sdxl_modules():
        part, module = diffusers_name(name)
        assert kohya_name(module, part) == name


BLOCK_LEAVES = st.sampled_from(
    [
        *("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0"),
        *("attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2"),
    ]
)
RESNET_LEAVES = st.sampled_from(["conv1", "conv2", "time_emb_proj", "conv_shortcut"])


@st.composite
def unet_modules(draw: st.DrawFn) -> tuple[str, int]:
    """A module's name in a U-Net, and that U-Net's layers_per_block."""
    per_block = draw(st.integers(1, 3))
    block, up = draw(st.integers(0, 3)), draw(st.booleans())
    layer = draw(st.integers(0, per_block - 1 + up))
    side = "up_blocks" if up else "down_blocks"
    kind = draw(st.sampled_from(["attention", "projection", "resnet", "sampler", "middle"]))
    inner = f"transformer_blocks.{draw(st.integers(0, 9))}.{draw(BLOCK_LEAVES)}"
    match kind:
        case "attention":
            return f"{side}.{block}.attentions.{layer}.{inner}", per_block
        case "projection":
            return f"{side}.{block}.attentions.{layer}.{draw(st.sampled_from(['proj_in', 'proj_out']))}", per_block
        case "resnet":
            return f"{side}.{block}.resnets.{layer}.{draw(RESNET_LEAVES)}", per_block
        case "sampler":
            return f"{side}.{block}.{'upsamplers' if up else 'downsamplers'}.0.conv", per_block
        case _:
            return draw(st.sampled_from([f"mid_block.attentions.0.{inner}", "mid_block.resnets.1.conv1"])), per_block


@given(unet_modules())
def test_any_unet_module_goes_there_and_back(named: tuple[str, int]) -> None:
    module, per_block = named
    assert diffusers_name(kohya_name(module, Part.UNET, per_block), per_block) == (Part.UNET, module)


@given(st.sets(unet_modules().filter(lambda named: named[1] == 2), min_size=2))
@pytest.mark.long
def test_no_two_modules_share_a_name(modules: set[tuple[str, int]]) -> None:
    assert len({kohya_name(module, Part.UNET) for module, _ in modules}) == len(modules)


@given(st.text())
def test_a_name_that_is_not_understood_is_refused_not_dropped(name: str) -> None:
    for part in Part:
        with pytest.raises(LoraFileError):
            kohya_name(f"{name}?", part)
        with pytest.raises(LoraFileError):
            diffusers_name(f"{part}{name}?")


@pytest.mark.parametrize("module", ["time_embedding.linear_1", "conv_in", "down_blocks.0.attentions.0.norm", ""])
def test_modules_without_a_place_in_kohyas_files_are_refused_by_name(module: str) -> None:
    with pytest.raises(LoraFileError, match="not a module"):
        kohya_name(module, Part.UNET)
