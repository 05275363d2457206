"""Sizes by name: what is painted fits the base model, whatever it was made for."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from engine.models.locate import find_base
from engine.models.registry import shape_of
from engine.pictures.orders.orders import order_from_settings
from engine.settings import DEMO_BASE, BaseSettings, Settings
from engine.settings.sizes import PIXELS, SizeName, size_of
from tests.support.small_project import small_project
from tui.cli.paint_options import Size, in_pixels


def test_every_size_has_about_the_pixels_that_sdxl_was_made_for() -> None:
    for name, (width, height) in PIXELS.items():
        assert width % 64 == height % 64 == 0
        assert width * height == pytest.approx(1024**2, rel=0.06), name
        small = size_of(name, 64)
        assert small[0] / small[1] == width / height
        assert all(side % 4 == 0 for side in small), "latents of the tiny base are 4 pixels apart"


def test_a_base_model_s_folder_tells_what_it_was_made_for(tmp_path: Path) -> None:
    assert shape_of(find_base(BaseSettings(model=DEMO_BASE))).resolution == 64
    assert shape_of(find_base(BaseSettings(model="stabilityai/stable-diffusion-xl-base-1.0"))).resolution == 1024
    torn = tmp_path / "torn"
    (torn / "unet").mkdir(parents=True)
    (torn / "model_index.json").write_text("{}")
    (torn / "unet" / "config.json").write_text("no")
    assert shape_of(find_base(BaseSettings(model=str(torn)))).resolution == 1024


def test_the_settings_size_is_ordered_unless_pixels_say_otherwise(tmp_path: Path) -> None:
    def ordered(settings: Settings) -> tuple[int | None, int | None]:
        order = order_from_settings(settings, "a man", tmp_path / "a.png", 1)
        return order.width, order.height

    project = small_project(tmp_path / "james", images=0)
    assert ordered(project.settings) == (None, None)
    project.change({"painting.size": "portrait"})
    assert ordered(project.settings) == (56, 72)
    project.change({"painting.width": 96, "painting.height": 64})
    assert ordered(project.settings) == (96, 64)


def test_the_command_takes_pixels_or_a_name_and_says_which_there_are(tmp_path: Path) -> None:
    settings = small_project(tmp_path / "james", images=0).settings
    assert in_pixels(Size().convert("832x1216", None, None), settings) == (832, 1216)
    assert in_pixels(Size().convert("Tall", None, None), settings) == (52, 76)
    with pytest.raises(
        click.BadParameter, match="'big' is not a valid size; write it as 832x1216, or square, portrait"
    ):
        Size().convert("big", None, None)
    assert set(PIXELS) == set(SizeName)
