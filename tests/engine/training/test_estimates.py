"""Time, money and memory before a run: from what was measured, from arithmetic, and what a budget leaves."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import TrainingError
from engine.models.preset import SIZES
from engine.models.registry import family_named, is_counted
from engine.models.sdxl.flops import forward_tflop, step_tflop
from engine.models.sdxl.memory import memory_parts
from engine.models.sdxl.shape import SDXL, shape_of_configs
from engine.models.shape import GIB, BaseShape, StepShape
from engine.project import Project
from engine.settings import Settings, TrainingSettings, with_changes
from engine.training.planning.benchmark_store import (
    Costs,
    Measured,
    Setting,
    machine_record,
    of_run,
    of_this_machine,
    remember,
)
from engine.training.planning.budget import Budget, check_budget, epochs_within, seconds_within, why_stop
from engine.training.planning.estimate import WhatIf, estimate_run
from engine.training.planning.gpus import Card, card_of_memory, named_card, reported_card
from engine.training.planning.presets import ROOM, Chosen, choose, predicted_gb, preset_size
from engine.training.planning.timing import Source, best_timing, model_seconds
from tests.support.small_project import small_project

KLEIN = BaseShape("FLUX.2 klein 4B", 1024, 16, "flux2-klein")
Z_IMAGE = BaseShape("Z-Image", 1024, 16, "z-image", 2)
TINY = BaseShape("a U-Net of 32-64-128", 64, 16)


def setting(**changes: object) -> Setting:
    card = Setting("RTX 4090", "SDXL", "bfloat16", "adamw", 1024, 1, 1, 32, False, False)
    return replace(card, **changes)


def measured(of: Setting, seconds: float, t: float = 1.0, kind: str = "run", memory: float = 17.0) -> Measured:
    return Measured(kind, t, of, 100, seconds, 0.03, seconds, memory, Costs(20.0, 0.5, 0.1, 1.5))


class TestArithmetic:
    @pytest.mark.parametrize(
        ("rank", "checkpointing", "counted"),
        [(8, False, 14.21), (32, False, 14.62), (8, True, 20.30), (32, True, 20.84)],
    )
    def test_a_step_is_as_much_arithmetic_as_was_counted(self, rank: int, checkpointing: bool, counted: float) -> None:
        assert step_tflop(StepShape(1024, 1, rank, checkpointing)) == pytest.approx(counted, rel=0.005)

    @pytest.mark.parametrize(("side", "counted"), [(1024, 6.76), (768, 3.64), (512, 1.59)])
    def test_a_forward_pass_too_at_every_resolution(self, side: int, counted: float) -> None:
        assert forward_tflop((side / 1024) ** 2) == pytest.approx(counted, rel=0.01)

    @pytest.mark.parametrize(("side", "batch", "counted"), [(1024, 1, 6.55), (1024, 4, 26.2), (768, 1, 3.68)])
    def test_activations_take_what_was_measured(self, side: int, batch: int, counted: float) -> None:
        found = memory_parts(StepShape(side, batch, 32)).activations
        assert found == pytest.approx(counted * GIB / 1e9, rel=0.02)

    @pytest.mark.parametrize(("batch", "taken"), [(1, 13.96), (2, 21.1), (4, 34.9), (6, 49.8)])
    def test_the_memory_said_of_a_step_is_within_a_tenth_of_what_an_h200_took(self, batch: int, taken: float) -> None:
        assert memory_parts(StepShape(1024, batch, 32)).total == pytest.approx(taken, rel=0.1)

    def test_dropout_and_an_average_take_more(self) -> None:
        plain = memory_parts(StepShape(1024, 1, 32))
        more = memory_parts(StepShape(1024, 1, 32), ema=True, dropout=True)
        assert more.activations == pytest.approx(9.46 * GIB / 1e9, rel=0.01)
        assert more.lora > plain.lora

    @pytest.mark.parametrize(("batch", "taken"), [(1, 0.0843), (2, 0.1276), (4, 0.2186), (6, 0.3173)])
    def test_a_replayed_step_takes_what_an_h200_took_within_a_sixth(self, batch: int, taken: float) -> None:
        found = model_seconds(setting(device="H200", batch=batch, rank=32, graphed=True), named_card("h200"))
        assert found == pytest.approx(taken, rel=0.16)

    def test_a_lora_and_its_optimizer_take_what_was_counted(self) -> None:
        assert memory_parts(StepShape(1024, 1, 32)).lora == pytest.approx(1.27 * GIB / 1e9, rel=0.01)
        assert memory_parts(StepShape(1024, 1, 32), "adamw8bit").lora == pytest.approx(0.8 * GIB / 1e9, rel=0.02)


class TestCards:
    @pytest.mark.parametrize(
        ("reported", "gib", "tflops", "preset"),
        [
            ("NVIDIA GeForce RTX 4090", 23.99, 165, 24),
            ("NVIDIA H100 80GB HBM3", 79.65, 989, 80),
            ("NVIDIA H100 PCIe", 79.65, 756, 80),
            ("NVIDIA A100-SXM4-40GB", 40.0, 312, 24),
            ("NVIDIA A100-SXM4-80GB", 80.0, 312, 80),
            ("NVIDIA A10G", 22.49, 70, 24),
            ("NVIDIA L40S", 44.99, 362, 48),
            ("Tesla T4", 15.0, None, 16),
            ("NVIDIA GeForce RTX 3060", 12.0, 25, 12),
            ("NVIDIA GeForce GTX 1650", 3.9, None, 8),
        ],
    )
    def test_a_driver_s_name_finds_the_rates_and_the_preset(
        self, reported: str, gib: float, tflops: float | None, preset: int
    ) -> None:
        card = reported_card(reported, int(gib * GIB))
        assert card.tflops == tflops
        assert preset_size(card.class_gb) == preset

    @pytest.mark.parametrize(
        ("typed", "name"), [("4090", "RTX 4090"), ("h100", "H100"), ("rtx 3060", "RTX 3060"), ("3080ti", "RTX 3080 Ti")]
    )
    def test_a_card_is_found_as_people_type_it(self, typed: str, name: str) -> None:
        assert named_card(typed).name == name

    @pytest.mark.parametrize("typed", ["", "gtx", "4090 super duper"])
    def test_an_unknown_card_is_told_with_what_to_type(self, typed: str) -> None:
        with pytest.raises(TrainingError, match="--memory"):
            named_card(typed)


class TestPresets:
    @pytest.mark.parametrize("gb", [8, 12, 16, 24, 48, 80])
    def test_every_preset_fits_its_card_with_room_to_spare_and_gives_reasons(self, gb: int) -> None:
        found = choose(Settings(), SDXL, card_of_memory(gb), images=25)
        assert found.preset is not None
        assert found.preset.gb == gb
        assert predicted_gb(found.settings.training, SDXL) <= gb * GIB / 1e9 * ROOM
        assert {each.key for each in found.choices} >= {"rank", "batch_size", "gradient_checkpointing", "optimizer"}
        assert all(each.reason and not each.own for each in found.choices)
        for choice in found.choices:
            assert getattr(found.settings.training, choice.key) == choice.value

    @pytest.mark.parametrize("base", [KLEIN, Z_IMAGE])
    def test_every_preset_of_the_others_fits_its_card_as_well(self, base: BaseShape) -> None:
        for preset in family_named(base.family).presets:
            found = choose(Settings(), base, card_of_memory(preset.gb), images=25)
            assert found.preset is preset
            assert predicted_gb(found.settings.training, base) <= preset.gb * GIB / 1e9 * ROOM
            chosen = {each.key: each.value for each in found.choices if each.key != "learning_rate"}
            assert chosen == {key: value for key, value, _ in preset.settings}, "nothing had to give way"

    def test_a_card_that_klein_may_not_fit_on_is_told(self) -> None:
        for settings in (Settings(), with_changes(Settings(), {"training.preset": 8})):
            found = choose(settings, KLEIN, card_of_memory(8), images=25)
            assert found.why.startswith("for 12 GB")
            assert found.why.endswith("which may not fit")
            assert predicted_gb(found.settings.training, KLEIN) > 8 * GIB / 1e9

    def test_what_a_person_set_wins_and_is_told_even_where_it_is_the_default(self) -> None:
        own = with_changes(Settings(), {"training.rank": 16, "training.batch_size": 2})
        found = choose(own, SDXL, card_of_memory(80), images=25)
        choices = {each.key: each for each in found.choices}
        assert (choices["rank"].value, choices["rank"].preset_value, choices["rank"].own) == (16, 32, True)
        assert found.settings.training.batch_size == 2
        assert not choices["gradient_checkpointing"].own

    def test_the_rest_makes_room_for_what_a_person_set(self) -> None:
        found = choose(with_changes(Settings(), {"training.batch_size": 4}), SDXL, card_of_memory(24), images=25)
        assert found.settings.training.gradient_checkpointing is True
        assert "more than" in {each.key: each for each in found.choices}["gradient_checkpointing"].reason

    def test_a_small_set_gets_a_small_batch(self) -> None:
        assert choose(Settings(), SDXL, card_of_memory(80), images=8).settings.training.batch_size == 2

    def test_a_larger_batch_gets_a_higher_learning_rate_unless_one_was_set(self) -> None:
        def rate(settings: Settings) -> float:
            return choose(settings, SDXL, card_of_memory(80), images=25).settings.training.learning_rate

        assert rate(Settings()) == pytest.approx(2e-4)
        assert rate(with_changes(Settings(), {"training.learning_rate": 5e-5})) == 5e-5

    @pytest.mark.parametrize(
        ("preset", "base", "card"), [("auto", SDXL, None), ("off", SDXL, 24), ("auto", TINY, 24), (24, TINY, None)]
    )
    def test_without_a_card_or_for_another_base_nothing_is_changed(
        self, preset: object, base: BaseShape, card: int | None
    ) -> None:
        settings = with_changes(Settings(), {"training.preset": preset})
        found = choose(settings, base, card_of_memory(card) if card else None, images=25)
        assert found.settings == settings
        assert found.choices == ()
        assert found.why

    def test_the_base_s_size_is_read_from_its_configuration(self) -> None:
        unet = {"block_out_channels": [320, 640, 1280], "transformer_layers_per_block": [1, 2, 10], "sample_size": 128}
        vae = {"block_out_channels": [128, 256, 512, 512]}
        assert shape_of_configs(unet, vae) == SDXL
        other = shape_of_configs({**unet, "transformer_layers_per_block": 1}, vae)
        assert not is_counted(other.family, other.name)


class TestSources:
    CARD = named_card("4090")

    def test_a_run_stopped_soon_counts_less_than_an_older_one_that_was_not(self) -> None:
        long = measured(setting(), 0.5, t=1)
        short = replace(measured(setting(), 0.9, t=2), steps=5)
        probe = replace(measured(setting(), 0.7, t=3, kind="probe"), steps=8)
        assert best_timing(setting(), self.CARD, [], [long, short]).seconds_per_step == 0.5
        assert best_timing(setting(), self.CARD, [], [short]).seconds_per_step == 0.9
        assert best_timing(setting(), self.CARD, [], [long, short, probe]).seconds_per_step == 0.7
        alike = replace(measured(setting(), 0.6, t=3), steps=4)
        assert best_timing(setting(), self.CARD, [], [short, alike]).seconds_per_step == 0.6
        after = replace(measured(setting(), 0.8, t=4), steps=18)
        assert best_timing(setting(), self.CARD, [], [long, short, probe, after]).seconds_per_step == 0.8

    def test_the_newest_measurement_with_the_same_settings_counts(self) -> None:
        here = [
            measured(setting(), 0.9, t=1),
            measured(setting(), 0.7, t=3, kind="probe"),
            measured(setting(), 0.8, t=2),
        ]
        found = best_timing(setting(), self.CARD, [], here)
        assert (found.source, found.seconds_per_step, found.memory_gb) == (Source.PROBE, 0.7, 17.0)
        assert found.detail.startswith("measured by the probe of ")

    def test_a_run_of_this_project_is_named(self) -> None:
        own = measured(setting(), 0.8, t=5)
        found = best_timing(setting(), self.CARD, [("20261121-1403-jx265", own)], [own])
        assert found.detail == "measured by 20261121-1403-jx265"

    def test_another_batch_is_scaled_from_the_nearest_and_said_so(self) -> None:
        here = [measured(setting(batch=1), 0.4, t=1), measured(setting(batch=4), 1.6, t=2, memory=50)]
        found = best_timing(setting(batch=3), self.CARD, [], here)
        assert found.source is Source.RUN
        assert "batch 4 → 3" in found.detail
        assert found.seconds_per_step == pytest.approx(1.2, rel=0.05)
        assert found.memory_gb == pytest.approx(50 - 6.55 * GIB / 1e9, rel=0.02)
        assert found.uncertainty > 0.05

    @pytest.mark.parametrize(
        "other",
        [
            {"device": "H100"},
            {"base": "tiny"},
            {"dtype": "float32"},
            {"optimizer": "prodigy"},
            {"text_encoders": True},
            {"processes": 2},
            {"compiled": True},
            {"graphed": True},
            {"dropout": True},
            {"ema": True},
        ],
    )
    def test_what_differs_in_unknown_ways_is_no_measurement(self, other: dict[str, object]) -> None:
        found = best_timing(setting(), self.CARD, [], [measured(setting(**other), 0.1)])
        assert found.source is Source.MODEL

    def test_the_model_of_a_card_is_near_what_its_users_report(self) -> None:
        # Reported for a LoRA at 1024 with checkpointing: 3060 2.4 to 2.8 s an image, 4090 3 s for 8 images.
        slow, fast = named_card("3060"), named_card("4090")
        assert model_seconds(setting(checkpointing=True), slow) == pytest.approx(2.6, rel=0.25)
        assert model_seconds(setting(checkpointing=True, batch=8), fast) == pytest.approx(3.0, rel=0.25)

    def test_a_small_batch_on_a_fast_card_waits_for_kernel_launches(self) -> None:
        card = named_card("h100")
        one, two = (model_seconds(setting(device="H100", batch=batch), card) for batch in (1, 2))
        assert one is not None
        assert two is not None
        assert two / one < 1.3
        assert "launching kernels" in best_timing(setting(device="H100"), card, [], []).detail

    def test_nothing_is_made_up_for_a_cpu_a_base_or_a_card_that_is_not_known(self) -> None:
        assert best_timing(setting(), None, [], []).source is Source.NONE
        assert best_timing(setting(base="tiny"), self.CARD, [], []).source is Source.NONE
        unknown = best_timing(setting(device="card of 24 GB"), card_of_memory(24), [], [])
        assert (unknown.source, unknown.seconds_per_step) == (Source.NONE, None)
        assert unknown.memory_gb == pytest.approx(14.6, abs=0.3)

    @given(
        st.sampled_from([named_card(name) for name in ("RTX 3060", "RTX 4090", "L4", "A100", "H200")]),
        st.integers(1, 16),
        st.sampled_from([512, 768, 1024]),
        st.booleans(),
    )
    def test_more_work_never_takes_less_time(self, card: Card, batch: int, side: int, checkpointing: bool) -> None:
        of = setting(batch=batch, resolution=side, checkpointing=checkpointing)
        less, more = model_seconds(of, card), model_seconds(replace(of, batch=batch + 1), card)
        assert less is not None
        assert more is not None
        assert 0 < less <= more


class TestRecord:
    def test_a_run_is_kept_once_and_read_again(self, tmp_path: Path) -> None:
        first = measured(setting(), 0.9, t=7)
        remember(measured(setting(batch=2), 2.0, t=3))
        remember(first, tmp_path)
        remember(replace(first, steps=200, seconds_per_step=0.8), tmp_path)
        assert [(each.t, each.seconds_per_step) for each in of_this_machine()] == [(3, 2.0), (7, 0.8)]
        assert of_run(tmp_path) == of_this_machine()[-1]

    def test_torn_and_foreign_lines_are_passed_over(self, tmp_path: Path) -> None:
        remember(measured(setting(), 0.9))
        with machine_record().open("a") as record:
            record.write('{"kind": "run"\n[]\n{"kind": "run", "t": 1}\nnull\n')
        (tmp_path / "measured.json").write_text("{")
        assert len(of_this_machine()) == 1
        assert of_run(tmp_path) is None
        remember(measured(setting(), 0.8, t=2))
        assert len(of_this_machine()) == 2

    def test_the_record_does_not_grow_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("engine.training.planning.benchmark_store.KEPT", 3)
        for t in range(5):
            remember(measured(setting(), 0.5, t=t))
        assert [each.t for each in of_this_machine()] == [2, 3, 4]


class TestBudget:
    PRICED = TrainingSettings(price_per_hour=3.6, budget=1.0)

    def test_money_buys_seconds_and_hours_limit_them_too(self) -> None:
        assert seconds_within(self.PRICED) == pytest.approx(1000)
        assert seconds_within(self.PRICED.model_copy(update={"budget_hours": 0.1})) == pytest.approx(360)
        assert seconds_within(TrainingSettings()) is None

    @given(st.integers(1, 50), st.floats(0, 500), st.floats(1, 400))
    def test_what_is_planned_within_a_budget_is_what_the_run_then_does(
        self, epochs: int, once: float, an_epoch: float
    ) -> None:
        found = epochs_within(self.PRICED, epochs, once, an_epoch)
        spent, done = once, 0
        while done < epochs:
            spent, done = spent + an_epoch, done + 1
            if done < epochs and why_stop(self.PRICED, spent - 1e-6, an_epoch):
                break
        assert found.epochs == done
        assert found.passes == (once + epochs * an_epoch > 1000 + 1e-6) or math.isclose(once + epochs * an_epoch, 1000)

    def test_an_epoch_that_would_pass_it_is_told_in_money_or_hours(self) -> None:
        assert why_stop(self.PRICED, 800, 100) is None
        assert why_stop(self.PRICED, 950, 100) == "another epoch would bring it to 1.05, and the budget is 1.00"
        assert "0.50 hours, and the budget is 0.25" in str(why_stop(TrainingSettings(budget_hours=0.25), 900, 900))

    def test_a_budget_without_a_price_is_refused(self) -> None:
        with pytest.raises(TrainingError, match="price_per_hour"):
            check_budget(TrainingSettings(budget=2))
        check_budget(TrainingSettings(budget_hours=2))

    def test_without_a_pace_it_is_not_known_what_fits(self) -> None:
        assert epochs_within(self.PRICED, 10, 0, None) == Budget(1.0, None, None, False)


class TestWholeEstimates:
    @pytest.fixture
    def sdxl(self, tmp_path: Path) -> Project:
        """A project of a rented card's: SDXL itself, which is not installed yet."""
        return small_project(tmp_path / "james", base__model="stabilityai/stable-diffusion-xl-base-1.0")

    def test_a_card_that_is_not_here_is_planned_for(self, sdxl: Project) -> None:
        sdxl.change({f"training.{key}": None for key in ("batch_size", "rank", "alpha", "learning_rate")})
        sdxl.change({"training.epochs": 40, "training.price_per_hour": 0.4, "training.budget": 0.05})
        found = estimate_run(sdxl, {}, WhatIf(images=25, card=named_card("4090")))
        assert (found.source, found.images, found.batch) == ("model", 25, 1)
        assert found.seconds_total == pytest.approx(40 * found.seconds_per_epoch)
        assert found.cost == pytest.approx(found.seconds_total * 0.4 / 3600)
        assert (found.budget.passes, found.budget.epochs) == (
            True,
            int(0.05 / 0.4 * 3600 // found.seconds_per_epoch),
        )
        assert found.fits
        record = json.loads(json.dumps(found.record()))
        assert record["preset"]["memory_gb"] == 24
        assert {each["key"] for each in record["preset"]["choices"]} >= {"rank", "batch", "optimizer"}

    def test_what_will_not_fit_is_told(self, sdxl: Project) -> None:
        found = estimate_run(sdxl, {"training.rank": 320}, WhatIf(card=card_of_memory(8)))
        assert found.fits is False
        assert any("hardly fit" in each for each in found.warnings)

    def test_every_setting_that_moves_moves_the_estimate(self, sdxl: Project) -> None:
        def total(changes: dict[str, object], images: int = 25) -> float:
            found = estimate_run(sdxl, changes, WhatIf(images=images, card=named_card("3090")))
            assert found.seconds_total is not None
            return found.seconds_total

        plain = total({})
        assert total({}, images=50) == pytest.approx(2 * plain, rel=0.02)
        assert total({"training.repeats": 4}) == pytest.approx(2 * plain, rel=0.02)
        assert total({"training.epochs": 4}) == pytest.approx(2 * plain, rel=0.01)
        assert total({"training.resolution": 512}) < 0.5 * plain
        assert total({"training.rank": 128}) > plain
        assert total({"training.gradient_checkpointing": False}) < total({"training.gradient_checkpointing": True})


def test_presets_are_ordered_and_named_by_their_memory() -> None:
    for family, smallest in (("sdxl", 8), ("flux2-klein", 12), ("z-image", 16)):
        sizes = [each.gb for each in family_named(family).presets]
        assert sizes == [each for each in SIZES if each >= smallest]
    assert isinstance(choose(Settings(), SDXL, None, 1), Chosen)
