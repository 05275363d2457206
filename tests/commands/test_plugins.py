"""Another package adds a photo library, a captioner and a family of base models; real commands use them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from engine.lora.header import read_header
from engine.project import Project
from tests.support.astronaut import FACE, save
from tests.support.small_project import small_project

HERE = Path(__file__).parents[2]

LIBRARY = f'''
from engine.library.base import Description
from engine.library.faces import LibraryFace
from engine.library.kind import LibraryKind
from engine.library.paths import Roots
from engine.library.people import Person


class Album:
    """A folder with one photo, a.png, of Ada."""

    def __init__(self, address):
        self.address, self.roots = address, Roots(plain=address.path)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        pass

    def cautions(self):
        return ()

    def describe(self):
        return Description("an album", "1.0", photos=1, faces=1, kind="Album")

    def people(self):
        return [Person("ada", "Ada", 1, 1, 2019, 2019)]

    def faces(self, person):
        yield LibraryFace("m1", "ada", "Ada", {FACE}, True, "f1", "folder", "a.png", 512, 512, "p1", None, 0)

    def markers_beside(self, person):
        return iter(())

    def embeddings(self, markers):
        return iter(())

    def words(self, photos):
        return iter(())

    def files(self):
        yield "folder", "a.png"


KIND = LibraryKind("album", ("album",), lambda address, settings, password, base: Album(address), "Album")
'''

CAPTIONER = """
from engine.dataset.captions.captioner import Captioner, TagCaptions


def load(settings, project, should_stop):
    return TagCaptions(lambda image: [f"{image.width} pixels wide", "brown hair"], settings)


RULER = Captioner("ruler", "tags", "measures the image", load)
"""

FAMILY = """
from engine.models.family import Family
from engine.models.registry import arithmetic_of
from engine.models.shape import BaseShape

TOY = Family(
    "toy",
    "Toy",
    pipelines=frozenset({"ToyPipeline"}),
    parts=(),
    is_in_file=lambda names: False,
    shape=lambda base: BaseShape("toy", 64, 8, "toy"),
    arithmetic=lambda size: arithmetic_of("sdxl", "SDXL"),
    counted=frozenset(),
    base_version="toy",
    architecture="toy",
    loader="toy_additions.toy_family:Toy",
)
"""

ENTRIES = """[limner.families]
toy = toy_additions.family:TOY

[limner.libraries]
album = toy_additions.library:KIND

[limner.captioners]
ruler = toy_additions.captioner:RULER
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the package as pip leaves it."""
    site = tmp_path / "site"
    package, about = site / "toy_additions", site / "toy_additions-1.0.dist-info"
    package.mkdir(parents=True)
    about.mkdir()
    (package / "__init__.py").write_text("")
    (package / "library.py").write_text(LIBRARY)
    (package / "captioner.py").write_text(CAPTIONER)
    (package / "family.py").write_text(FAMILY)
    shutil.copy(HERE / "tests" / "support" / "toy_family.py", package)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-additions\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRIES)
    return site


def limner(project: Project, site: Path | None, *words: object) -> subprocess.CompletedProcess[str]:
    """Runs a command in a process of its own, with or without the package."""
    path = os.pathsep.join([str(HERE), *([str(site)] if site else [])])
    command = [sys.executable, "-m", "tui.cli", "-C", str(project.root), *map(str, words)]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def test_a_library_of_another_package_is_connected_and_scanned(
    project: Project, installed: Path, tmp_path: Path
) -> None:
    save(tmp_path / "photos" / "a.png")
    connected = limner(project, installed, "connect", f"album://{tmp_path}/photos")
    assert connected.returncode == 0, connected.stderr
    assert "an album · Album 1.0 · read-only · 1 photo · 1 face" in connected.stdout
    assert "Ada" in limner(project, installed, "people").stdout
    refused = limner(project, installed, "people", "rename", "Ada", "Eve")
    assert refused.stderr.strip() == (
        "limner: Album keeps these people, and Limner never writes to it: name and merge them there"
    )
    scanned = limner(project, installed, "faces", "scan", "--person", "Ada")
    assert scanned.returncode == 0, scanned.stderr
    assert json.loads(limner(project, installed, "faces", "list", "--json").stdout)["faces"][0]["person"] == "Ada"


def test_a_captioner_of_another_package_writes_captions(project: Project, installed: Path, tmp_path: Path) -> None:
    save(tmp_path / "photos" / "a.png")
    for words in (
        ("connect", f"album://{tmp_path}/photos"),
        ("faces", "scan", "--person", "Ada"),
        ("faces", "keep", 1),
        ("dataset", "build"),
    ):
        done = limner(project, installed, *words)
        assert done.returncode == 0, done.stderr
    assert "ruler      measures the image" in limner(project, installed, "caption", "--help").stdout
    done = limner(project, installed, "caption", "--with", "ruler", "--json")
    assert done.returncode == 0, done.stderr
    (image,) = json.loads(done.stdout)["images"]
    assert image["caption"].endswith("1024 pixels wide")
    assert "brown hair" not in image["caption"], "what a captioner says of the person is cleaned like Limner's own"


def test_a_family_of_another_package_is_trained_and_painted_with(tmp_path: Path, installed: Path) -> None:
    base = tmp_path / "base"
    (base / "scheduler").mkdir(parents=True)
    index = {"_class_name": "ToyPipeline", "scheduler": ["diffusers", "DDPMScheduler"]}
    (base / "model_index.json").write_text(json.dumps(index))
    project = small_project(
        tmp_path / "james",
        base__model=str(base),
        training__epochs=1,
        training__sample_prompts=["jx265 man, red"],
        # One painter for both pictures.
        painting__idle_seconds=8.0,
    )
    trained = limner(project, installed, "train", "--wait", "--json")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert len(list(project.runs.glob("*/samples/*.png"))) == 1
    [checkpoint] = project.runs.glob("*/checkpoints/*.safetensors")
    header = read_header(checkpoint)
    assert header.metadata["modelspec.architecture"] == "toy/lora"
    assert list(header.modules) == ["transformer.to_q"]
    looks = []
    for strength in (0, 1):
        out = tmp_path / f"{strength}.png"
        words = ("paint", "jx265 man, red", "--lora", f"{checkpoint}:{strength}", "--seed", "3", "-o", out)
        painted = limner(project, installed, *words)
        assert painted.returncode == 0, painted.stderr
        with Image.open(out) as image:
            assert image.size == (64, 64)
            looks.append(image.tobytes())
    assert looks[0] != looks[1], "the LoRA changes what is painted"


def test_without_the_package_its_library_and_captioner_are_unknown(project: Project, tmp_path: Path) -> None:
    assert (
        "libraries at album:// addresses can't be read"
        in limner(project, None, "connect", f"album://{tmp_path}").stderr
    )
    assert limner(project, None, "caption", "--with", "ruler").returncode == 2


def test_a_package_that_can_not_be_loaded_is_named(project: Project, installed: Path) -> None:
    (installed / "toy_additions" / "captioner.py").write_text("raise RuntimeError('no ruler')")
    done = limner(project, installed, "caption", "--with", "ruler")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "limner: the plugin toy-additions can't be loaded (RuntimeError: no ruler): update it, or: pip uninstall"
        " toy-additions"
    )
