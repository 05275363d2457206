"""No field and no option that names a place takes a password, a token or a key, and none is written or shown."""

from __future__ import annotations

import contextlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.bundle.bundle import bundle_runs
from engine.errors import LimnerError, ProjectError
from engine.library.address import parse_address
from engine.llm.server import canonical_address
from engine.project import Project
from engine.secrets import without_secrets
from engine.security.secret_check import holds_secret
from engine.settings import Settings, read_settings, with_changes
from tests.commands.conftest import Run, run  # noqa: F401
from tests.support.story import story_project, with_run

SECRET = "Tr0ub4dor"

SPELLED = [
    f"https://me:{SECRET}@host/model",
    f"mysql://me:{SECRET}@host:3306/db",
    f"//me:{SECRET}@host/db",
    f"https://me%3A{SECRET}@host/model",
    f"HTTPS://me:{SECRET}%40x@host",
    f"https:/me:{SECRET}@host/x",
    f"http://[me:{SECRET}@host",
    f"mysql+pymysql://:{SECRET}@host/db",
    f"https://me:{SECRET}#x/y?z@host/db",
    f"me:{SECRET}@host",
    f"me:{SECRET}@tcp(host:3306)/db",
    f" https://me:{SECRET}@host",
    f"https://host/v1?password={SECRET}",
    f"https://host/v1?a=b&api_key={SECRET}",
    f"https://host/v1?access-token={SECRET}",
    f"https://host/v1#auth_token={SECRET}",
    f"https://host/v1?%70assword={SECRET}",
    f"org/model?token={SECRET}",
    f"https://host/x.safetensors?X-Amz-Signature={SECRET}",
]
"""Places that hold a secret."""

FINE = [
    "stabilityai/stable-diffusion-xl-base-1.0",
    "/models/base.safetensors",
    "../x@y/z",
    "mysql://me@nas:3306/photos?ssl_ca=/home/me@nas/ca.pem",
    "me@tcp(nas:3306)/photos",
    "http://127.0.0.1:11434/v1",
    "folder:///home/me/a:b@c",
    "sqlite:///home/me/index.db",
    "https://photos.example.com:8443/prism?ssl=unverified",
]
"""Places that hold none."""

WORDS = {
    *("person.trigger", "person.class_word", "person.name", "person.uid"),
    *("captions.drop", "captions.keep", "captions.replace"),
    *("painting.negative", "painting.style", "training.sample_prompts"),
}
"""Settings that are words and no places; a new one is either added here or looked at like all others."""


def settings_fields(want: type) -> list[str]:
    """Every setting whose type has texts or paths in it, by its dotted key."""
    found = []
    for section, table in Settings.model_fields.items():
        for name, field in table.annotation.model_fields.items():
            if want.__name__ in str(field.annotation).replace("pathlib.", "").replace("<class 'str'>", "str"):
                found.append(f"{section}.{name}")
    return found


PLACES = sorted({*settings_fields(str), *settings_fields(Path)} - WORDS)
SERVERS_NAMES = {"language_model.model", "captions.model"}
"""What a server calls a model, ``llava:7b@latest``: no login without slashes."""


def test_all_settings_that_are_places_are_looked_at() -> None:
    assert {*WORDS} == {
        f"{name}.{word}" for name, table in Settings.model_fields.items() for word in table.annotation.words
    }
    assert {"base.model", "base.config", "base.vae", "captions.blip", "library.url", "training.network_weights"} <= set(
        PLACES
    )


def test_no_setting_takes_a_place_that_holds_a_secret(project: Project) -> None:
    for key in PLACES:
        for text in SPELLED:
            if key in SERVERS_NAMES and "//" not in text and "?" not in text and ":/" not in text:
                continue
            value: Any = {"family": text} if key == "library.mounts" else text
            with pytest.raises(ProjectError) as caught:
                with_changes(Settings(), {key: value})
            assert SECRET not in caught.value.one_line(), (key, text)
            assert "holds a password" in caught.value.one_line(), (key, text)
    for text in FINE:
        assert not holds_secret(text), text
        assert with_changes(Settings(), {"base.model": text}).base.model == text


@pytest.mark.parametrize("key", ["library.url", "base.model", "base.config", "captions.florence", "language_model.url"])
def test_a_file_that_holds_a_secret_is_refused_by_line_and_not_quoted(
    key: str,
    project: Project,
    run: Run,  # noqa: F811
) -> None:
    section, name = key.split(".")
    project.settings_path.write_text(f'# mine\n[{section}]\n{name} = "{SPELLED[0]}"\n')
    with pytest.raises(ProjectError) as caught:
        read_settings(project.settings_path)
    assert caught.value.what.startswith(f"{project.settings_path}:3: {key} holds a password")
    for words in (("faces", "list"), ("doctor",), ("estimate",), ("trust",)):
        done = run(*words)
        assert SECRET not in done.out + done.err
        assert "Traceback" not in done.err


def test_options_that_hold_a_secret_end_in_one_line_and_write_nothing(
    project: Project,
    run: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for words in (
        ("connect", SPELLED[1]),
        ("connect", SPELLED[12]),
        ("trust", SPELLED[0]),
        ("vary", "a man", "--with", "llm", "--url", SPELLED[0]),
        ("vary", "a man", "--with", "llm", "--url", SPELLED[12]),
        ("caption", "--with", "server", "--url", SPELLED[0]),
        ("estimate", "--set", f"base.model={SPELLED[0]}"),
        ("train", "--set", f"training.network_weights={SPELLED[12]}"),
    ):
        done = run(*words)
        assert done.code in (1, 2), (words, done)
        assert SECRET not in done.out + done.err, words
        assert "Traceback" not in done.err
    for path in project.root.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_an_older_order_that_holds_a_secret_travels_without_it(tmp_path: Path) -> None:
    project = story_project(tmp_path / "james")
    job = with_run(project, done=True)
    order = json.loads((job.path / "job.json").read_text())
    order["args"]["settings"]["base"] = {"model": SPELLED[0], "config": SPELLED[2]}
    order["args"]["settings"]["captions"] = {"blip": SPELLED[9]}
    (job.path / "job.json").write_text(json.dumps(order))
    bundle_runs(project, tmp_path / "runs.tar.gz")
    with tarfile.open(tmp_path / "runs.tar.gz") as tar:
        for member in tar.getmembers():
            file = tar.extractfile(member)
            assert file is None or SECRET.encode() not in file.read(), member.name


def test_the_scrubber_hides_secrets_in_any_address() -> None:
    for text in SPELLED:
        if "//" in text or "?" in text:
            assert SECRET not in without_secrets(f"asked {text.strip()}: refused") or "%70" in text or "#" in text, text


@given(st.text(max_size=60), st.sampled_from(["", "http://", "mysql://", "//", "me@", "http://["]))
@example("~0", "")
def test_any_text_is_an_address_or_one_plain_error(text: str, before: str) -> None:
    for read in (parse_address, canonical_address):
        with contextlib.suppress(LimnerError):
            read(before + text)
