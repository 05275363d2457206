"""An Immich that answers small things which become large, and one that is waited for when ctrl+c is pressed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.project import Project
from engine.security.trust import confirm
from tests.hostile.endless_server import endless
from tests.hostile.test_endless_answers import WEB, answer, ends_soon, interrupted
from tests.hostile.test_hostile_memory import MANY, greedy
from tests.support.immich_data import many_assets
from tests.support.immich_server import Fault, running
from tests.support.rows import usual

VERSION = answer(b'{"major":3,"minor":3,"patch":5}')
PEOPLE = answer(b'{"people":[{"id":"p1","name":"James"}],"hasNextPage":false}')
PHOTOS = answer(json.dumps({"assets": {"items": [{"id": f"a{n}", "type": "IMAGE"} for n in range(40)]}}).encode())
BEGINNINGS: dict[str, tuple[list[str], list[bytes]]] = {
    "faces, in several threads": (["faces", "scan", "--person", "James"], [VERSION, PEOPLE, answer(b"{}"), PHOTOS]),
    "people": (["people"], [VERSION]),
    "its version": (["people"], []),
}
"""Commands, and the honest answers before the one without end."""


@pytest.mark.parametrize("what", usual(BEGINNINGS, 1))
def test_ctrl_c_ends_the_waiting_for_immich_within_a_second(
    project: Project, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setenv("LIMNER_IMMICH_KEY", "key-of-james")
    command, answers = BEGINNINGS[what]
    first, piece = WEB["headers"]

    def once() -> tuple[float, int, str]:
        with endless(*answers, piece, first=first) as server:
            project.change({"library.url": f"immich+http://127.0.0.1:{server.port}"})
            confirm(project.root, project.settings.library.url)
            return interrupted(command, project.root, lambda: server.sent > 3)

    ends_soon(once)


def test_people_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    with running(many_assets(tmp_path, people=1, faces=1), key="insecure") as server:
        server.before("people", Fault(200, body=MANY))
        (ended,) = greedy((150, "people", f"immich+{server.url}"))
    assert "answered with more than Immich ever has" in ended


@pytest.mark.long
def test_names_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    """Each page is small enough, and there is always one more."""
    with running(many_assets(tmp_path, people=1, faces=1), key="insecure") as server:
        for page in range(100):
            people = [{"id": f"{page} {number}", "name": "x" * 5000} for number in range(2000)]
            server.before("people", Fault(200, body=json.dumps({"people": people, "hasNextPage": True}).encode()))
        (ended,) = greedy((400, "people", f"immich+{server.url}"))
    assert "repeats itself or never ends" in ended
