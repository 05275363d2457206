"""Settings that have another name now: old files and commands go on, nothing is lost, and it is told once."""

from __future__ import annotations

import io
from contextlib import redirect_stderr

import pytest

from engine.errors import ProjectError
from engine.project import Project
from engine.settings import Settings, with_changes
from engine.settings.file import Settings as FileSettings
from engine.settings.renamed import untold_renames
from engine.settings.section import Section
from tests.support.rows import usual
from tui.cli.old_settings import tell_of_old_names

RENAMED = [
    (section, old, new)
    for section, field in FileSettings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    for old, new in field.annotation.renamed.items()
]

OLD = """# my settings
[person]
trigger = "jx265"
class_word = "man"

[training]
batch = 4  # as many as fit
schedule = "linear"

[painting]
guidance = 7.5
"""


@pytest.fixture
def old(project: Project) -> Project:
    project.settings_path.write_text(OLD)
    return project


def test_a_file_with_old_names_is_read(old: Project) -> None:
    training = old.settings.training
    assert (training.batch_size, training.lr_scheduler.value, old.settings.painting.guidance_scale) == (
        4,
        "linear",
        7.5,
    )


@pytest.mark.parametrize("row", usual(RENAMED, 3, lambda row: row[1]))
def test_an_old_name_changes_the_same_setting_for_one_run(row: tuple[str, str, str]) -> None:
    section, old_name, new_name = row
    value = getattr(getattr(Settings(), section), new_name)
    given = 3 if value is None or isinstance(value, int | float) else value.value
    if old_name in ("warmup", "held_out"):
        given = 0.25
    if old_name == "start_from":
        given = "a.safetensors"
    changed = with_changes(Settings(), {f"{section}.{old_name}": given})
    assert changed == with_changes(Settings(), {f"{section}.{new_name}": given})
    assert new_name in getattr(changed, section).model_fields_set


def test_a_change_keeps_the_name_and_the_comment_that_the_user_wrote(old: Project) -> None:
    old.change({"training.batch_size": 2, "training.lr_warmup": 0.1})
    text = old.settings_path.read_text()
    assert "batch = 2  # as many as fit\n" in text
    assert "batch_size" not in text
    assert "lr_warmup = 0.1\n" in text
    assert (old.settings.training.batch_size, old.settings.training.lr_warmup) == (2, 0.1)
    old.change({"training.batch_size": None})
    assert "batch" not in old.settings_path.read_text()


def test_both_names_at_once_are_refused_with_what_to_do(old: Project) -> None:
    old.settings_path.write_text(OLD.replace("batch = 4", "batch = 4\nbatch_size = 2"))
    with pytest.raises(ProjectError) as refused:
        _ = old.settings
    told = refused.value.one_line()
    assert told.endswith("batch is the old name of batch_size: keep one of them")
    assert told.startswith(f"{old.settings_path}:6: training has one setting twice")


def test_a_wrong_value_is_found_at_its_line_under_the_old_name(old: Project) -> None:
    old.settings_path.write_text(OLD.replace("batch = 4", "batch = 400"))
    with pytest.raises(ProjectError) as refused:
        _ = old.settings
    assert refused.value.one_line().startswith(
        f"{old.settings_path}:7: training.batch_size = 400 is invalid: must be less than or equal to 64"
    )


def test_a_run_of_an_older_limner_keeps_its_settings() -> None:
    record = Settings().model_dump(mode="json")
    record["training"]["batch"] = record["training"].pop("batch_size") + 6
    assert Settings.model_validate(record).training.batch_size == 7


def test_old_names_are_told_once(old: Project) -> None:
    said = io.StringIO()
    with redirect_stderr(said):
        tell_of_old_names(old.root)
        tell_of_old_names(old.root)
    assert said.getvalue().splitlines() == [
        "limner.toml: training.batch is called training.batch_size now; the old name keeps working.",
        "limner.toml: training.schedule is called training.lr_scheduler now; the old name keeps working.",
        "limner.toml: painting.guidance is called painting.guidance_scale now; the old name keeps working.",
    ]
    old.settings_path.write_text(OLD.replace("guidance = 7.5", "guidance = 7.5\n\n[base]\n") + "")
    assert untold_renames(old.settings_path, old.cache) == {}


def test_a_new_project_is_told_nothing(project: Project) -> None:
    assert untold_renames(project.settings_path, project.cache) == {}
    assert not (project.cache / "renamed-settings.json").exists()
