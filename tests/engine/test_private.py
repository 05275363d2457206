"""Passwords, keys and tokens stand in no log and no error, whoever quotes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pymysql
import pytest
from sqlalchemy.exc import OperationalError

from engine.library.address import parse_address
from engine.library.photoprism_http.session import Session
from engine.library.photoprism_sql.error_messages import explain
from engine.library.photoprism_sql.opening import open_engine
from engine.llm.server import ModelServer
from engine.secrets import HIDDEN, register_secret, without_secrets
from engine.security.private_files import story_of
from tests.support.small_project import small_project
from tui.app.exit_message import mishap

SECRET = "s3cr'et päss/word"


@pytest.mark.parametrize(
    "quoted", [SECRET, repr(SECRET), "s3cr%27et%20p%C3%A4ss%2Fword", '{"password": "s3cr\'et p\\u00e4ss/word"}']
)
def test_a_secret_is_hidden_however_it_is_quoted(quoted: str) -> None:
    register_secret(SECRET)
    told = without_secrets(f"refused: {quoted} was wrong")
    assert HIDDEN in told
    assert "s3cr" not in told
    assert told.startswith("refused: ")


def test_a_password_in_an_address_is_hidden_though_nobody_told_of_it() -> None:
    assert without_secrets("can't open mysql://me:hunter2@nas/db") == f"can't open mysql://me:{HIDDEN}@nas/db"
    assert without_secrets("mysql://me@nas:3306/db at 12:30") == "mysql://me@nas:3306/db at 12:30"


def test_what_is_too_short_to_be_one_is_left_alone() -> None:
    register_secret("a")
    register_secret("")
    register_secret(None)
    assert without_secrets("a banana") == "a banana"


def test_servers_keep_what_they_were_given_to_themselves() -> None:
    ModelServer("https://example.org/v1", "sk-model-key")
    Session(parse_address("https://photos.example.org"), "app-password-1234")
    open_engine(parse_address("mysql://me@nas.example.org/photoprism"), "of-the-keyring")
    told = without_secrets("sk-model-key app-password-1234 of-the-keyring")
    assert told == f"{HIDDEN} {HIDDEN} {HIDDEN}"


def test_the_story_of_a_mistake_hides_them_in_the_app_and_in_a_job(tmp_path: Path) -> None:
    register_secret(SECRET)
    error = ValueError(f"invalid literal: {SECRET}")
    assert "ValueError: invalid literal: •••" in story_of(error)
    assert SECRET not in mishap(error)


def test_a_job_that_fails_with_its_password_in_the_error_logs_none(tmp_path: Path) -> None:
    """In a process of its own, as jobs are: what it prints goes into its log."""
    project = small_project(tmp_path / "james", images=0)
    code = f"""
import runpy, sys
from pathlib import Path
from engine.jobs import work
from engine.jobs.folder import JobFolder, JobKind, Order
def fail(context):
    import os
    raise RuntimeError("driver said: " + os.environ["LIMNER_DB_PASSWORD"])
import types
module = types.ModuleType("failing"); module.fail = fail; sys.modules["failing"] = module
work.WORK[JobKind.SCAN] = "failing:fail"
folder = JobFolder(Path({str(tmp_path / "job")!r}))
folder.path.mkdir()
folder.write_order(Order(JobKind.SCAN, Path({str(project.root)!r}), {{}}))
sys.argv = ["worker", str(folder.path)]
runpy.run_module("engine.jobs.worker", run_name="__main__")
"""
    environment = {**os.environ, "LIMNER_DB_PASSWORD": "correct-horse"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "driver said: •••" in done.stderr
    events = (tmp_path / "job" / "events.jsonl").read_text()
    assert "RuntimeError: driver said: •••" in events
    assert "correct-horse" not in done.stderr + done.stdout + events


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("the server asks for the plain password", "none was sent: turn TLS on there"),
        ("Authentication plugin 'gssapi' not configured", "not supported .*gssapi.*: give this user a plain password"),
    ],
)
def test_a_way_to_log_in_that_is_not_known_is_told_with_what_to_do(said: str, words: str) -> None:
    address = parse_address("mysql://me@nas.example.org/photoprism")
    error = OperationalError("", {}, pymysql.err.OperationalError(2059, said))
    with pytest.raises(Exception, match=words):
        raise explain(error, address)
