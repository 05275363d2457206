"""Families of base models: how one is recognised, and that nothing else knows what only one family has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import BaseModelError
from engine.models.locate import BaseKind, BaseModel, find_base
from engine.models.registry import FAMILIES, family_named, family_of, is_counted, shape_of
from engine.settings import DEMO_BASE, BaseSettings

HERE = Path(__file__).parents[2]

OF_SDXL = re.compile(r"text_encoder_2|\btime_ids\b|pooled|added_cond_kwargs|(?<![\w.])(?:77|722)(?![\w.])")
"""What only SDXL has: names, 77 tokens, 722 linears."""

WITH_77 = {"engine/demo/identity.py": "the seed of the drawn people's recogniser"}


def test_nothing_outside_of_its_folder_and_the_lora_files_knows_sdxl_s_own() -> None:
    found = []
    for path in sorted(each for top in ("engine", "tui") for each in (HERE / top).rglob("*.py")):
        name = path.relative_to(HERE).as_posix()
        if name.startswith(("engine/models/sdxl/", "engine/lora/")) or name in WITH_77:
            continue
        lines = enumerate(path.read_text("utf-8").splitlines(), start=1)
        found += [f"{name}:{number}: {line.strip()}" for number, line in lines if OF_SDXL.search(line)]
    assert found == []


def test_the_demo_s_base_is_sdxl_in_a_size_that_nobody_counted() -> None:
    base = find_base(BaseSettings(model=DEMO_BASE))
    shape = shape_of(base)
    assert (family_of(base).title, shape.resolution, shape.family) == ("SDXL", 64, "sdxl")
    assert not is_counted(shape.family, shape.name)


@pytest.mark.parametrize("index", [{"_class_name": ["a"]}, {}, [], "no JSON"])
def test_a_base_that_says_nothing_known_is_taken_for_sdxl(index: object, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(index if isinstance(index, str) else json.dumps(index))
    base = BaseModel(BaseKind.FOLDER, str(tmp_path))
    assert family_of(base) is FAMILIES[0]
    assert shape_of(base).resolution == 1024, "and when it is loaded, what is wrong is told"


def test_a_base_of_another_kind_is_refused_with_those_that_work(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(BaseModelError, match=r"is a FluxPipeline, .*: use a model of: SDXL, FLUX.2 klein, Z-Image"):
        family_of(BaseModel(BaseKind.FOLDER, str(tmp_path)))


def test_a_single_file_is_known_by_its_second_text_encoder(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"conditioner.embedders.1.model.ln_final.weight": torch.zeros(2)}, path)
    assert family_of(BaseModel(BaseKind.FILE, str(path))).name == "sdxl"


def test_a_record_of_a_family_that_is_not_installed_names_it() -> None:
    with pytest.raises(BaseModelError, match="no family of base models is called flux9: install the package"):
        family_named("flux9")


def test_sdxl_needs_nothing_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that can't be loaded is in nobody's way, and hundreds of estimates look for none."""
    monkeypatch.setattr("engine.models.registry.plugins", lambda *_: pytest.fail("other packages were looked for"))
    assert family_named("sdxl").title == "SDXL"
    assert family_of(find_base(BaseSettings(model=DEMO_BASE))).name == "sdxl"
