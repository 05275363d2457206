"""What a base of Z-Image's architecture in full size is, and that what is written of one loads and answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.models.loading import load_base
from engine.models.locate import find_base
from engine.models.z_image.shape import shape_of_configs
from engine.settings import BaseSettings
from tools.make_base import z_image_full
from tools.make_base.__main__ import main
from tools.make_base.z_image_parts import ZImageSizes, make_text_encoder, make_transformer, make_vae


def test_the_full_size_has_exactly_z_images_shapes() -> None:
    """The transformer has 6.15 billion weights as published; Qwen3-4B and FLUX.1's VAE have these counts."""
    parts = z_image_full.untrained_parts()
    assert {name: sum(weight.numel() for weight in part.parameters()) for name, part in parts.items()} == {
        "text_encoder": 4_022_468_096,
        "transformer": 6_154_908_736,
        "vae": 83_819_683,
    }
    assert shape_of_configs(parts["transformer"].config, parts["vae"].config).name == "Z-Image"


def test_a_written_z_image_base_loads_and_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small() -> dict[str, torch.nn.Module]:
        sizes = ZImageSizes()
        with torch.device("meta"):
            parts = {"transformer": make_transformer(sizes), "vae": make_vae(sizes)}
        return {"text_encoder": make_text_encoder(sizes).to("meta"), **parts}

    monkeypatch.setattr(z_image_full, "untrained_parts", small)
    main([str(tmp_path / "base"), "--family", "z-image", "--size", "full"])
    base = load_base(find_base(BaseSettings(model=str(tmp_path / "base"))))
    text = {name: each[None].float() for name, each in base.encode_caption("a man", "cpu").items()}
    text["prompt_mask"] = text["prompt_mask"].bool()
    with torch.no_grad():
        said = base.predict(base.denoiser, torch.randn(1, 4, 8, 8), torch.tensor([0.5]), text)
    assert torch.isfinite(said).all()
    assert said.std() > 0
