"""Project folders and their settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ProjectError
from engine.project import Project, create_project, open_project
from engine.settings import Sampler


def test_a_new_project_opens_with_the_words_it_was_made_with(tmp_path: Path) -> None:
    create_project(tmp_path / "james", trigger="jx265", class_word="man")
    person = open_project(tmp_path / "james").settings.person
    assert (person.trigger, person.class_word) == ("jx265", "man")


def test_a_project_is_found_from_a_folder_inside_it(project: Project) -> None:
    inside = project.root / "pictures" / "2026"
    inside.mkdir(parents=True)
    assert open_project(inside).root == project.root


def test_no_project_is_said_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        open_project(tmp_path)
    assert "limner new" in caught.value.one_line()


def test_a_project_is_never_made_over_another(project: Project) -> None:
    before = project.settings_path.read_text()
    with pytest.raises(ProjectError, match="project already"):
        create_project(project.root)
    assert project.settings_path.read_text() == before


def test_a_trigger_of_two_words_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="trigger"):
        create_project(tmp_path / "p", trigger="two words")
    assert not (tmp_path / "p" / "limner.toml").exists()


def test_quotes_and_backslashes_in_the_words_survive(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", trigger='a"b\\c', class_word='the "king"')
    assert project.settings.person.trigger == 'a"b\\c'
    assert project.settings.person.class_word == 'the "king"'


def test_comments_and_order_survive_our_edits(project: Project) -> None:
    text = project.settings_path.read_text() + "\n[training]\nepochs = 3  # enough for a first look\n"
    project.settings_path.write_text(text)
    project.change({"training.repeats": 5, "library.url": "sqlite:///x.db", "painting.sampler": Sampler.EULER})
    after = project.settings_path.read_text()
    assert "epochs = 3  # enough for a first look" in after
    assert "your comments stay" in after
    settings = project.settings
    assert (settings.training.epochs, settings.training.repeats) == (3, 5)
    assert settings.painting.sampler is Sampler.EULER


def test_a_change_that_would_break_the_settings_is_not_written(project: Project) -> None:
    before = project.settings_path.read_text()
    with pytest.raises(ProjectError, match=r"training\.epochs"):
        project.change({"training.epochs": 0})
    assert project.settings_path.read_text() == before


def test_a_misspelt_key_is_named_with_the_nearest_right_one(project: Project) -> None:
    project.settings_path.write_text("[training]\nepohcs = 3\n")
    with pytest.raises(ProjectError) as caught:
        _ = project.settings
    line = caught.value.one_line()
    assert "training.epohcs" in line
    assert "did you mean training.epochs?" in line
    assert "limner.toml" in line


def test_broken_toml_is_told_with_its_line(project: Project) -> None:
    project.settings_path.write_text("[training\n")
    with pytest.raises(ProjectError, match="line 1"):
        _ = project.settings


def test_new_folders_of_one_minute_never_fall_together(project: Project) -> None:
    made = [project.new_run_folder() for _ in range(12)]
    assert len(set(made)) == 12
    for each in made:
        (each / "job.json").touch()
    assert [job.path for job in project.run_folders()] == made, "the twelfth is the newest, not the second"


def test_the_newest_run_is_the_newest_though_the_clock_was_set_back(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    for clock in ("20261025-0259", "20261025-0201", "20010101-0000", "20261025-0300"):
        monkeypatch.setattr("engine.project.time.strftime", lambda _form, now=clock: now)
        made.append(project.new_run_folder())
        (made[-1] / "job.json").touch()
        assert project.run().path == made[-1]
    assert [each.name[:13] for each in made] == ["20261025-0259"] * 3 + ["20261025-0300"]


def test_a_run_is_found_by_its_name_its_ends_or_as_the_newest(project: Project) -> None:
    for name in ("20260101-0900-jx265", "20260102-0900-jx265"):
        (project.runs / name).mkdir(parents=True)
        (project.runs / name / "job.json").write_text("{}")
    assert project.run().id == "20260102-0900-jx265"
    assert project.run("20260101").id == "20260101-0900-jx265"
    with pytest.raises(ProjectError, match="2 runs fit"):
        project.run("jx265")
    with pytest.raises(ProjectError, match="there is no run called"):
        project.run("nonsense")
