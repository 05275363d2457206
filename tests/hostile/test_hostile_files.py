"""Files that users write, others bring along or Limner keeps: whatever lies there is one plain line, or passed over."""

from __future__ import annotations

import json
import os
import signal
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import pytest

from engine.bundle.prompts import take_prompts
from engine.dataset.captions.models.wd14 import _general_tags as tags_of_wd14
from engine.dataset.files.caption_file import read_caption_file
from engine.dataset.files.manifest import read_manifest
from engine.errors import LibraryError, LimnerError
from engine.jobs.folder import JobFolder
from engine.library.address import parse_address
from engine.library.connection.tls_pins import check_tls_was_never_seen, remember_tls, seen_file
from engine.lora.header import read_header
from engine.models.folder_safety import check_pipeline
from engine.models.locate import find_base
from engine.models.prediction import noise_of_file, noise_of_folder
from engine.pictures.gallery.found_prompts import import_prompts
from engine.pictures.likeness.scores import read_likeness
from engine.project import Project
from engine.prompts.grammar import variations
from engine.prompts.shared_prompts import share, shared_path, shared_prompts
from engine.prompts.tokenizer import _read as tokenizer_of
from engine.security.trust import confirm, confirmed_addresses, trust_file
from engine.settings import BaseSettings, change_settings, read_settings
from engine.settings.file import old_names
from engine.settings.renamed import untold_renames
from engine.training.planning.benchmark_store import (
    NO_COSTS,
    Measured,
    Setting,
    machine_record,
    of_run,
    of_this_machine,
    remember,
)
from engine.training.runs.training_history import started_at
from tui.app.session_state import SessionState
from tui.places import config_folder, kept_looks_path, user_themes_folder
from tui.theming.appearance_cache import read_looks
from tui.theming.themes import load_themes
from tui.theming.user_config import read_config


@dataclass(frozen=True)
class Read:
    """A file that is read, and by what."""

    place: Callable[[Project], Path]
    read: Callable[[Project, Path], object]
    passed_over: bool = False
    """Whether it is passed over where it is damaged; else it is refused by name."""


def _themes(_project: Project, path: Path) -> None:
    themes, problems = load_themes([path.parent])
    if problems:
        assert problems[0].path == path
        raise LimnerError(f"{path}: {problems[0].why}")
    assert not themes


def _config(_project: Project, path: Path) -> None:
    config = read_config(path.parent)
    if config.problems:
        raise LimnerError(config.problems[0].one_line())
    assert config.settings == type(config.settings)()


def _tokenizer(_project: Project, path: Path) -> None:
    (path.parent / "vocab.json").write_text('{"a": 0}')
    tokenizer_of.__wrapped__(path.parent)


def _with_an_old_name(project: Project) -> Path:
    project.settings_path.write_text("[training]\nbatch = 2\n")
    return project.settings_path


FILES: dict[str, Read] = {
    "limner.toml": Read(lambda project: project.settings_path, lambda _, path: read_settings(path)),
    "limner.toml, changed": Read(
        lambda project: project.settings_path, lambda _, path: change_settings(path, {"training.rank": 8})
    ),
    "config.toml": Read(lambda _: config_folder() / "config.toml", _config),
    "a theme": Read(lambda _: user_themes_folder() / "mine.toml", _themes),
    "prompts.toml": Read(lambda _: shared_path(), lambda _, path: shared_prompts(path)),
    "prompts.toml, added to": Read(lambda _: shared_path(), lambda _, path: share([], path)),
    "a list of wildcards": Read(
        lambda _: Path(platformdirs.user_data_dir("limner", appauthor=False)) / "wildcards" / "mine.txt",
        lambda _, _path: variations("a __mine__", 2, 1),
    ),
    "styles.csv": Read(lambda project: project.root / "styles.csv", lambda _, path: import_prompts(path)),
    "a bundle's prompts": Read(lambda project: project.root / "prompts.json", take_prompts),
    "a caption": Read(
        lambda project: project.root / "a.txt", lambda _, path: read_caption_file(path.with_suffix(".png"))
    ),
    "manifest.json": Read(
        lambda project: project.dataset / "manifest.json", lambda project, _: read_manifest(project.dataset)
    ),
    "job.json": Read(
        lambda project: project.runs / "r" / "job.json", lambda _, path: JobFolder(path.parent).read_order()
    ),
    "a LoRA": Read(lambda project: project.root / "a.safetensors", lambda _, path: read_header(path)),
    "model_index.json": Read(
        lambda project: project.root / "m/model_index.json", lambda _, path: check_pipeline(path.parent)
    ),
    "wd14's tags": Read(lambda project: project.root / "selected_tags.csv", lambda _, path: tags_of_wd14(path)),
    "a base model": Read(
        lambda project: project.root / "b.safetensors",
        lambda _, path: find_base(BaseSettings(model=str(path))),
        passed_over=True,
    ),
    "noise of a file": Read(
        lambda project: project.root / "b.safetensors", lambda _, path: noise_of_file(path, True), passed_over=True
    ),
    "noise of a folder": Read(
        lambda project: project.root / "m/scheduler/scheduler_config.json",
        lambda project, _: noise_of_folder(project.root / "m", True),
        passed_over=True,
    ),
    "merges.txt": Read(lambda project: project.root / "t" / "merges.txt", _tokenizer, passed_over=True),
    "likeness.json": Read(
        lambda project: project.runs / "r" / "likeness.json",
        lambda _, path: read_likeness(JobFolder(path.parent)),
        passed_over=True,
    ),
    "run.toml": Read(lambda project: project.root / "run.toml", lambda _, path: started_at(path), passed_over=True),
    "measured.json": Read(
        lambda project: project.runs / "r" / "measured.json", lambda _, path: of_run(path.parent), passed_over=True
    ),
    "measured.jsonl": Read(lambda _: machine_record(), lambda _, _path: of_this_machine(), passed_over=True),
    "confirmed.json": Read(
        lambda _: trust_file(), lambda project, _: confirmed_addresses(project.root), passed_over=True
    ),
    "tls-seen": Read(
        lambda _: seen_file(),
        lambda _, _path: check_tls_was_never_seen(parse_address("mysql://u@db/p")),
        passed_over=True,
    ),
    "screens.json": Read(
        lambda project: project.cache / "screens.json",
        lambda project, _: SessionState(project).of("faces"),
        passed_over=True,
    ),
    "renamed-settings.json": Read(
        lambda project: project.cache / "renamed-settings.json",
        lambda project, _: untold_renames(_with_an_old_name(project), project.cache),
        passed_over=True,
    ),
    "old names in limner.toml": Read(
        lambda project: project.settings_path, lambda _, path: old_names(path), passed_over=True
    ),
    "looks.json": Read(lambda _: kept_looks_path(), lambda _, _path: read_looks(), passed_over=True),
}
"""Every file that is read as a whole."""

CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "deep JSON": b"[" * 100_000,
    "deep JSON of tables": b'{"a":' * 100_000,
    "deep TOML": b"a = " + b"[" * 100_000,
    "dotted TOML": b"a." * 80_000 + b"b = 1",
    "many digits": b"a = " + b"9" * 5_000,
    "many digits in JSON": b'{"a": ' + b"9" * 5_000 + b"}",
    "not UTF-8": b"\xff\xfe\x80 a = 1\n",
    "NUL": b"a = 1\0\n",
    "a byte order mark alone": b"\xef\xbb\xbf",
    "a list": b"[1, 2]",
    "a number": b"7",
    "null": b"null",
    "escapes": b'"\x1b]0;x\x07" = "\x1b[31m"\n',
    "a whole disk": b"# \n" * 12_000_000,
}


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    """A pipe that is waited for ends the test."""

    def too_long(_number: int, _frame: types.FrameType | None) -> None:
        raise AssertionError("it waits for a pipe, or has no end")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", FILES)
def test_whatever_lies_there_is_one_line_or_passed_over(name: str, project: Project) -> None:
    file = FILES[name]
    path = file.place(project)
    path.parent.mkdir(parents=True, exist_ok=True)
    for content, data in CONTENTS.items():
        path.write_bytes(data)
        _read(file, project, path, f"{name}: {content}")
    path.unlink()
    path.mkdir()
    _read(file, project, path, f"{name}: a folder")
    path.rmdir()
    os.mkfifo(path)
    told = _read(file, project, path, f"{name}: a pipe")
    assert file.passed_over or told or not path.is_file()


def _read(file: Read, project: Project, path: Path, what: str) -> str:
    """Reads it; what it said of it, if anything."""
    try:
        file.read(project, path)
    except LimnerError as error:
        told = error.one_line()
        assert path.name in told or str(path.parent) in told or file.passed_over or "bundle" in told, (what, told)
        assert len(told) < 600, (what, len(told))
        assert not any(letter < " " for letter in told), (what, told)
        return told
    return ""


def test_a_byte_order_mark_of_windows_is_passed_over(project: Project) -> None:
    project.settings_path.write_bytes(b"\xef\xbb\xbf[training]\r\nrank = 8\r\n")
    assert read_settings(project.settings_path).training.rank == 8
    change_settings(project.settings_path, {"training.rank": 16})
    assert read_settings(project.settings_path).training.rank == 16


def test_damaged_confirmations_are_kept_beside_the_new_ones(project: Project) -> None:
    confirm(project.root, "https://a")
    good = trust_file().read_bytes()
    trust_file().write_bytes(good[:-5])
    confirm(project.root, "https://b")
    assert confirmed_addresses(project.root) == ("https://b",)
    assert trust_file().with_name("confirmed.json.damaged").read_bytes() == good[:-5]


def test_damaged_records_of_this_machine_are_kept_beside_the_new_ones() -> None:
    remember_tls(parse_address("mysql://u@db/p"))
    seen_file().write_bytes(b"db:3306\n\xff\n")
    with pytest.raises(LibraryError, match=r"tls-seen is damaged .*, which tells whether .* had TLS before: move it"):
        check_tls_was_never_seen(parse_address("mysql://u@db/p"))
    remember_tls(parse_address("mysql://u@other/p"))
    assert seen_file().read_text() == "other:3306\n"
    assert seen_file().with_name("tls-seen.damaged").read_bytes() == b"db:3306\n\xff\n"
    machine_record().write_bytes(b"\xff")
    setting = Setting("a CPU", "SDXL", "float32", "adamw", 64, 1, 1, 4, False, False)
    remember(Measured("run", 1.0, setting, 20, 1.0, 0.1, 1.0, 1.0, NO_COSTS))
    assert [each.t for each in of_this_machine()] == [1.0]
    assert machine_record().with_name("measured.jsonl.damaged").read_bytes() == b"\xff"


def test_a_theme_holds_no_stylesheet(tmp_path: Path) -> None:
    head = 'name = "a"\n[colors]\nprimary = "red"\nforeground = "red"\nbackground = "black"\n[variables]\n'
    odd = ["boost = 'red; } Screen { display: none'", "boost = 'x\\n'", f"boost = '{'x' * 200}'", "'a b' = 'red'"]
    for line in (*odd, "boost = 3", "boost = ['red']", "boost = '\x1b[0m'", "boost = '/* '", "'boost\n' = 'red'"):
        (tmp_path / "a.toml").write_text(head + line + "\n")
        themes, problems = load_themes([tmp_path])
        assert not themes, line
        assert len(problems[0].why) < 300
    (tmp_path / "a.toml").write_text(head + "boost = 'ansi_default'\ntext-style = 'bold underline'\n")
    assert set(load_themes([tmp_path])[0]) == {"a"}
    for name in ("a\x1b[0m", "[red]a", "a b", "a" * 200_000 + " ", "../a"):
        (tmp_path / "a.toml").write_text(head.replace('"a"', json.dumps(name)))
        assert not load_themes([tmp_path])[0], name
