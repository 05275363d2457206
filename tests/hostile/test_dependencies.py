"""What Limner is installed with: nothing under the GPL or AGPL, and nothing pinned that pip could not tell apart."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]

COPYLEFT = re.compile(r"(?<![Ll])\bA?GPL|(?<!Lesser )(?<!Library or )\bGeneral Public License", re.IGNORECASE)
KNOWN = re.compile(
    r"Apache|BSD|MIT|ISC|MPL|Mozilla|PSF|CC0|Boost|BSL-1|Zlib|LGPL|Lesser|HPND|Unlicense|OFL", re.IGNORECASE
)


def installed() -> dict[str, Distribution]:
    """Limner's dependencies and theirs, its extras too, as they are installed here."""
    found: dict[str, Distribution] = {}
    waiting = [("limner", frozenset({"", "optimizers", "tensorboard"}))]
    while waiting:
        name, extras = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        try:
            package = found.get(key) or distribution(name)
        except PackageNotFoundError:
            continue
        if key in found:
            continue
        found[key] = package
        for text in package.requires or []:
            wanted = Requirement(text)
            if wanted.marker is None or any(wanted.marker.evaluate({"extra": each}) for each in extras):
                waiting.append((wanted.name, frozenset({"", *wanted.extras})))
    return found


def licence_of(package: Distribution) -> str:
    """What the package says of its licence, in whatever field; its text where it names none."""
    about = package.metadata
    named = [about.get("License-Expression"), (about.get("License") or "")[:200]]
    named += [each for each in about.get_all("Classifier", []) if each.startswith("License ::")]
    return " | ".join(each for each in named if each and each != "UNKNOWN")


PACKAGES = installed()


def test_the_whole_tree_is_looked_at() -> None:
    assert {"torch", "pillow", "pi-heif", "textual", "sqlalchemy", "pymysql"} <= set(PACKAGES)
    assert len(PACKAGES) > 50


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_a_dependency_is_under_a_licence_that_leaves_users_free(name: str) -> None:
    licence = licence_of(PACKAGES[name])
    assert KNOWN.search(licence), f"{name}: {licence or 'no licence named'}"
    assert not COPYLEFT.search(licence), f"{name}: {licence}"


@pytest.mark.parametrize(
    ("licence", "copyleft"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("GNU Affero General Public License", True),
        ("LGPL-3.0-or-later", False),
        ("GNU Library or Lesser General Public License (LGPL)", False),
        ("MIT", False),
    ],
)
def test_the_gpl_is_told_from_the_lgpl(licence: str, copyleft: bool) -> None:
    assert bool(COPYLEFT.search(licence)) == copyleft


def test_every_dependency_is_pinned_exactly_as_the_auditor_needs_it() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert [str(pin) for pin in pins if [each.operator for each in pin.specifier] != ["=="]] == []
    pinned = {re.sub(r"[-_.]+", "-", pin.name).lower() for pin in pins}
    assert set(PACKAGES) - {"limner", "setuptools"} <= pinned
