"""A project carried to another machine and its runs carried home: whole, and with nothing that should stay."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.bundle.bundle import bundle_project, bundle_runs
from engine.bundle.contents import CHECKSUMS, BundleError, BundleKind
from engine.bundle.unbundle import Merged, Unbundled, names_of, unbundle
from engine.dataset.files.layout import DatasetFolder
from engine.dataset.files.manifest import Entry, Manifest
from engine.errors import LimnerError
from engine.jobs.folder import JobFolder
from engine.project import Project, create_project
from engine.prompts.store import PromptStore
from engine.settings import Settings
from engine.training.runs.run_status import run_status
from tests.support.small_project import run_with, small_project
from tests.support.story import alive

SECRETS = ("nas.example.org", "/mnt/family", "James Café", "js6sg6b1", "/home/james", "10.0.0.7")


@pytest.fixture
def home(tmp_path: Path) -> Project:
    project = small_project(tmp_path / "home" / "james", base__model="demo")
    project.change(
        {
            "library.url": "mysql://photoprism@nas.example.org:3306/photoprism",
            "library.originals": "/mnt/family/photos",
            "person.name": "James Café",
            "person.uid": "js6sg6b1",
            "captions.url": "http://10.0.0.7:11434/v1",
            "base.config": "/home/james/models/sdxl",
        }
    )
    text = project.settings_path.read_text()
    project.settings_path.write_text(f"# a remark of mine\n{text}")
    folder = DatasetFolder(project)
    entry = Entry(1, 3, "ms1", "close", (0, 0, 96), 0.5, "/mnt/family/photos/a.jpg", "1-2")
    folder.save_manifest(Manifest(folder.path.name, "jx265", "man", (entry,)))
    with project.store() as store:
        by = {"engine": "llm", "model": "small", "server": "10.0.0.7:11434"}
        PromptStore(store).add("portrait of jx265 man", "blurry", made_by=by)
    return project


def test_regularisation_images_travel_and_nothing_beside_them(home: Project, file: Path, tmp_path: Path) -> None:
    folder = home.root / "reg" / "1_man"
    folder.mkdir(parents=True)
    (folder / "0001.png").write_bytes(os.urandom(3000))
    (folder / "0001.txt").write_text("a man")
    (home.root / "reg" / "notes.txt").write_text("mine")
    bundle_project(home, file)
    away = unbundle(file, tmp_path / "away").project
    assert files_of(away.root / "reg") == {
        "1_man/0001.png": (folder / "0001.png").read_bytes(),
        "1_man/0001.txt": b"a man",
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "james.limner"


@pytest.fixture
def trained(home: Project) -> JobFolder:
    checkpoint = home.root / "some.safetensors"
    checkpoint.write_bytes(os.urandom(50_000))
    run = run_with(home, checkpoint)
    (run.path / "state").mkdir()
    (run.path / "state" / "optimizer.safetensors").write_bytes(bytes(1000))
    (run.path / "worker.log").write_text("printed\n")
    return run


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_a_project_arrives_with_dataset_captions_prompts_and_settings(
    home: Project, file: Path, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    made = bundle_project(home, file, tell=lambda *each: told.append(each))
    assert told[-1] == (made.about.bytes, made.about.bytes)
    assert set(made.left_out) == {"captions.url", "base.config"}
    assert file.stat().st_mode & 0o777 == 0o600
    arrived = unbundle(file, tmp_path / "box" / "james").project
    here, there = files_of(home.dataset), files_of(arrived.dataset)
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == ["manifest.json"]
    before, after = home.settings, arrived.settings
    assert (after.training, after.painting, after.base.model) == (before.training, before.painting, "demo")
    assert (after.person.trigger, after.person.class_word) == ("jx265", "man")
    assert "# a remark of mine" in arrived.settings_path.read_text()
    with arrived.store() as store:
        (prompt,) = PromptStore(store).prompts()
        assert (prompt.text, prompt.negative) == ("portrait of jx265 man", "blurry")
    assert [each.face_id for each in DatasetFolder(arrived).images()] == [3, None, None]
    assert sorted(each.name for each in arrived.root.iterdir()) == ["dataset", "limner.db", "limner.toml"]
    assert [each.name for each in arrived.root.parent.iterdir()] == ["james"]


def test_nothing_that_is_private_travels_unless_it_is_asked_for(home: Project, file: Path, tmp_path: Path) -> None:
    bundle_project(home, file)
    inside = gzip.decompress(file.read_bytes())
    assert [word for word in SECRETS if word.encode() in inside] == []
    file.unlink()
    bundle_project(home, file, with_library=True)
    arrived = unbundle(file, tmp_path / "elsewhere", with_addresses=True).project
    assert arrived.settings == home.settings


@pytest.mark.parametrize("evil", ["http://evil.example:11434", "http:\n//evil.example"])
def test_servers_and_paths_that_a_bundle_names_are_set_aside_and_told(
    home: Project, file: Path, tmp_path: Path, evil: str
) -> None:
    home.change({"language_model.url": evil})
    bundle_project(home, file, with_library=True)
    opened = unbundle(file, tmp_path / "elsewhere")
    settings = opened.project.settings
    assert (settings.library.url, settings.library.originals, settings.language_model.url) == (None, None, None)
    assert f"language_model.url = {evil!r}" in opened.set_aside
    assert any(each.startswith("library.url = ") for each in opened.set_aside)
    assert settings.person.trigger == home.settings.person.trigger


def test_runs_come_home_without_what_only_living_ones_need(
    home: Project, trained: JobFolder, file: Path, tmp_path: Path
) -> None:
    bundle_project(home, tmp_path / "p.limner")
    box = unbundle(tmp_path / "p.limner", tmp_path / "box").project
    shutil.copytree(trained.path, box.runs / trained.id)
    made = bundle_runs(box, file)
    assert made.runs == (trained.id,)
    shutil.rmtree(home.runs)
    opened = unbundle(file, home.root)
    assert [(each.name, each.how) for each in opened.runs] == [(trained.id, Merged.NEW)]
    (run,) = home.run_folders()
    assert run.read_order().project == home.root
    assert not (run.path / "state").exists()
    status = run_status(run)
    assert (status.state.value, status.step) == ("done", 3)
    assert status.checkpoints[0].read_bytes() == (box.runs / trained.id / "checkpoints/jx265.safetensors").read_bytes()
    inside = gzip.decompress(file.read_bytes())
    # What base model a run was made with belongs to the run.
    secrets = [word for word in (*SECRETS, str(box.root)) if word != "/home/james"]
    assert [word for word in secrets if word.encode() in inside] == []
    file.unlink()
    bundle_runs(box, file, with_state=True)
    unbundle(file, home.root)
    assert (run.path / "state" / "optimizer.safetensors").exists()


def test_a_run_taken_twice_is_one_and_another_of_its_name_lies_beside(
    home: Project, trained: JobFolder, file: Path, tmp_path: Path
) -> None:
    bundle_runs(home, file)
    assert _how(unbundle(file, home.root)) == [(trained.id, Merged.KNOWN)]
    before = files_of(trained.path)
    other = create_project(tmp_path / "other")
    log = trained.events_path.read_text()
    shutil.copytree(trained.path, other.runs / trained.id)
    (other.runs / trained.id / "events.jsonl").write_text(log.replace('"t":', '"t":1', 1).replace('"t": ', '"t": 1', 1))
    bundle_runs(other, tmp_path / "o.limner")
    for how in (Merged.BESIDE, Merged.KNOWN):
        assert _how(unbundle(tmp_path / "o.limner", home.root)) == [(f"{trained.id}-2", how)]
        assert files_of(trained.path) == before
    assert [run.id for run in home.run_folders()] == [trained.id, f"{trained.id}-2"]


def test_a_newer_copy_of_a_run_updates_it_and_an_older_changes_nothing(
    home: Project, trained: JobFolder, file: Path, tmp_path: Path
) -> None:
    bundle_runs(home, tmp_path / "whole.limner")
    lines = trained.events_path.read_text().splitlines(keepends=True)
    whole = files_of(trained.path)
    trained.events_path.write_text("".join(lines[:4]))
    (trained.path / "checkpoints/jx265.safetensors").unlink()
    bundle_runs(home, tmp_path / "older.limner")
    with alive(trained), pytest.raises(BundleError, match="is still running here"):
        unbundle(tmp_path / "whole.limner", home.root)
    assert _how(unbundle(tmp_path / "whole.limner", home.root)) == [(trained.id, Merged.UPDATED)]
    now = files_of(trained.path)
    assert {name: now[name] for name in whole if name not in ("job.json", "lock")} == {
        name: data for name, data in whole.items() if name not in ("job.json", "lock")
    }
    assert _how(unbundle(tmp_path / "older.limner", home.root)) == [(trained.id, Merged.KNOWN)]
    (trained.path / "checkpoints/jx265.safetensors").unlink()
    assert _how(unbundle(tmp_path / "whole.limner", home.root)) == [(trained.id, Merged.UPDATED)]
    assert (trained.path / "checkpoints/jx265.safetensors").exists()


def test_a_run_that_can_not_come_home_keeps_none_of_the_others_away(
    home: Project, trained: JobFolder, tmp_path: Path
) -> None:
    log = trained.events_path.read_bytes()
    order = (trained.path / "job.json").read_bytes()
    members = [_regular("runs/a/events.jsonl", log)]
    for name in ("b", trained.id, "z"):
        members += [_regular(f"runs/{name}/job.json", order), _regular(f"runs/{name}/events.jsonl", log)]
    trained.events_path.write_bytes(b"".join(log.splitlines(keepends=True)[:4]))
    runs = _written(tmp_path, members, bundle="runs")
    with alive(trained):
        opened = unbundle(runs, home.root)
    told = dict(zip((each.id for each in opened.runs), names_of(opened.runs), strict=True))
    assert told["a"].startswith("a: left out: ")
    assert "is still running here" in told[trained.id]
    assert (told["b"], told["z"]) == ("b: new", "z: new")
    assert {"b", "z"} <= {run.id for run in home.run_folders()}
    assert not (home.runs / "a").exists()


def _how(opened: Unbundled) -> list[tuple[str, Merged]]:
    return [(each.name, each.how) for each in opened.runs]


def test_a_run_that_is_under_way_stays_where_it_is(home: Project, trained: JobFolder, file: Path) -> None:
    log = trained.events_path.read_text()
    trained.events_path.write_text("".join(log.splitlines(keepends=True)[:-1]))
    with alive(trained), pytest.raises(BundleError, match="is under way: wait until it ends"):
        bundle_runs(home, file)
    assert not file.exists()
    trained.events_path.write_text(log)
    with alive(trained):
        assert bundle_runs(home, file).runs == (trained.id,)


def test_what_can_not_be_is_told_and_leaves_nothing(home: Project, file: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no dataset to bundle: build it first"):
        bundle_project(create_project(tmp_path / "new"), file)
    with pytest.raises(BundleError, match="has no runs"):
        bundle_runs(home, file)
    bundle_project(home, file)
    with pytest.raises(BundleError, match="is there already"):
        bundle_project(home, file)
    with pytest.raises(BundleError, match="is a project already"):
        unbundle(file, home.root)
    with pytest.raises(BundleError, match="is not empty"):
        unbundle(file, home.root.parent)
    with pytest.raises(BundleError, match="there is no /nowhere"):
        unbundle(Path("/nowhere/x.limner"), tmp_path / "b")
    for data in (b"", b"hello", gzip.compress(b"hello"), gzip.compress(bytes(2048))):
        (tmp_path / "no.limner").write_bytes(data)
        with pytest.raises(BundleError):
            unbundle(tmp_path / "no.limner", tmp_path / "b")
    assert not (tmp_path / "b").exists()
    assert [each.name for each in tmp_path.glob(".*")] == []


def test_a_bundle_cut_off_or_damaged_is_refused_and_leaves_nothing(home: Project, file: Path, tmp_path: Path) -> None:
    bundle_project(home, file)
    whole = file.read_bytes()
    for length in (len(whole) // 3, len(whole) - 200):
        file.write_bytes(whole[:length])
        with pytest.raises(BundleError, match=r"is cut off: copy it again"):
            unbundle(file, tmp_path / "b")
    raw = bytearray(gzip.decompress(whole))
    raw[raw.index(b"red shirt")] ^= 1
    file.write_bytes(gzip.compress(bytes(raw)))
    with pytest.raises(BundleError, match="damaged"):
        unbundle(file, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    file.write_bytes(whole)
    (tmp_path / ".b.unbundling").mkdir()
    (tmp_path / ".b.unbundling" / "left by a kill").touch()
    assert unbundle(file, tmp_path / "b").kind is BundleKind.PROJECT


def _regular(name: str, data: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info, data


def _of_type(kind: bytes, name: str, to: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info, b""


HOSTILE: dict[str, Callable[[], tuple[tarfile.TarInfo, bytes]]] = {
    "climbing": lambda: _regular("dataset/../../evil"),
    "absolute": lambda: _regular("/tmp/limner-evil"),
    "elsewhere": lambda: _regular("cache/evil"),
    "hidden": lambda: _regular("dataset/.evil"),
    "database": lambda: _regular("limner.db"),
    "backslash": lambda: _regular("dataset\\..\\evil"),
    "control characters": lambda: _regular("dataset/\x1b[31m"),
    "dots": lambda: _regular("dataset/./evil"),
    "long": lambda: _regular("dataset/" + "x" * 2000),
    "link": lambda: _of_type(tarfile.SYMTYPE, "dataset/link", "/etc"),
    "hard link": lambda: _of_type(tarfile.LNKTYPE, "dataset/link", "../../etc/passwd"),
    "device": lambda: _of_type(tarfile.CHRTYPE, "dataset/null"),
    "pipe": lambda: _of_type(tarfile.FIFOTYPE, "dataset/pipe"),
    "folder": lambda: _of_type(tarfile.DIRTYPE, "dataset/folder"),
    "twice": lambda: _regular("dataset/a.txt"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_bundle_writes_nothing_anywhere(kind: str, tmp_path: Path) -> None:
    members = [_regular("dataset/a.txt"), HOSTILE[kind]()]
    _refused(_written(tmp_path, members), tmp_path)


class _Header(tarfile.TarInfo):
    """One whose bytes can be replaced: ``TarInfo`` itself has slots alone."""


def SPARSE() -> tarfile.TarInfo:  # noqa: N802
    """An old GNU sparse file whose list of pieces goes on for 100 MB."""
    info = _Header("dataset/sparse")
    head = bytearray(tarfile.TarInfo("dataset/sparse").tobuf(tarfile.GNU_FORMAT))
    head[156:157] = tarfile.GNUTYPE_SPARSE
    head[386:410], head[482:483] = b"00000000001\0" * 2, b"\1"
    head[148:156] = b"        "
    head[148:156] = b"%06o\0 " % sum(head)
    piece = b"00000000001\0" * 42
    whole = bytes(head) + (piece + b"\1" + bytes(7)) * 200_000
    info.tobuf = lambda *_args: whole  # type: ignore[method-assign, assignment]
    return info


def LONG_NAMES() -> tarfile.TarInfo:  # noqa: N802
    """A name that is told ten thousand times before the file comes."""
    info = _Header("dataset/name")
    head = tarfile.TarInfo("././@LongLink")
    head.type, head.size = tarfile.GNUTYPE_LONGNAME, 512
    info.tobuf = lambda *_args: (head.tobuf(tarfile.GNU_FORMAT) + b"dataset/x".ljust(512, b"\0")) * 10_000  # type: ignore[method-assign, assignment]
    return info


PROMPT = {"id": 1, "t": 1.0, "text": "a", "negative": "", "parent_id": None, "rating": 0, "name": ""}
PROMPT |= {"tags": "[]", "mark": "", "made_by": "{}"}


@pytest.mark.parametrize(
    "odd",
    [
        {"id": 10**30},
        {"id": "1"},
        {"text": "\ud800"},
        {"tags": "{}"},
        {"tags": "[1]"},
        {"tags": "nonsense"},
        {"made_by": "[]"},
        {"made_by": '{"a": ' * 50_000},
        {"mark": "evil"},
        {"parent_id": 7},
        {"t": float("nan")},
    ],
)
def test_a_prompt_that_is_none_is_refused_with_its_bundle(odd: dict[str, object], tmp_path: Path) -> None:
    for record, good in ((PROMPT, True), ({**PROMPT, **odd}, False)):
        members = [_regular("limner.toml", b""), _regular("prompts.json", json.dumps([record]).encode())]
        path = _written(tmp_path, members)
        if good:
            arrived = unbundle(path, tmp_path / "good").project
            with arrived.store() as store:
                assert [each.text for each in PromptStore(store).prompts()] == ["a"]
            shutil.rmtree(tmp_path / "good")
        else:
            _refused(path, tmp_path)


def test_what_a_bundle_says_of_itself_is_short(tmp_path: Path) -> None:
    members = [_regular("limner.toml", b""), _regular("prompts.json", b"[]")]
    with pytest.raises(BundleError):
        unbundle(_written(tmp_path, members, trigger="x" * 100_000), tmp_path / "new")


def test_bombs_and_absurd_sizes_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    _refused(_written(tmp_path, [_regular("dataset/a", bytes(5_000_000))], claimed=1000), tmp_path)
    _refused(_written(tmp_path, [_regular(f"dataset/{n}") for n in range(5)], files=3), tmp_path)
    _refused(_written(tmp_path, [_regular("dataset/a")], claimed=10**18), tmp_path)
    _refused(_written(tmp_path, [_regular("dataset/a")], claimed=10**12), tmp_path)
    info, _ = _regular("dataset/a")
    info.size = 10**14
    _refused(_written(tmp_path, [(info, b"")], claimed=10**14), tmp_path)
    for member, words in ((SPARSE, "absurdly large"), (LONG_NAMES, "absurdly large")):
        _refused(_written(tmp_path, [(member(), b"")]), tmp_path, words)
    header = tarfile.TarInfo("PaxHeader")
    header.type = tarfile.XHDTYPE
    header.size = 300_000_000
    _refused(_written(tmp_path, [(header, bytes(header.size))]), tmp_path)


def test_a_foreign_settings_file_or_order_is_refused(tmp_path: Path, project: Project) -> None:
    for name, data in (("limner.toml", b"[person]\nnonsense = 1"), ("prompts.json", b"[[[["), ("prompts.json", b"{}")):
        good = {"limner.toml": b"", "prompts.json": b"[]", name: data}
        members = [_regular(*each) for each in good.items()]
        if data == b"{}":
            continue
        _refused(_written(tmp_path, members), tmp_path)
    runs = _written(tmp_path, [_regular("runs/a/events.jsonl")], bundle="runs")
    with pytest.raises(LimnerError, match="is not a job's folder"):
        unbundle(runs, project.root)
    assert not project.runs.exists() or not list(project.runs.iterdir())


def _refused(file: Path, tmp_path: Path, words: str | None = None) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BundleError, match=words):
        unbundle(file, tmp_path / "box")
    assert sorted(tmp_path.rglob("*")) == before


def _written(
    folder: Path,
    members: list[tuple[tarfile.TarInfo, bytes]],
    claimed: int | None = None,
    files: int | None = None,
    bundle: str = "project",
    trigger: str = "x",
) -> Path:
    total = sum(len(data) for _, data in members) if claimed is None else claimed
    count = len(members) if files is None else files
    about = {"v": 1, "kind": bundle, "files": count, "bytes": total, "trigger": trigger}
    path = folder / "hostile.limner"
    with gzip.open(path, "wb", 1) as packed, tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        first, data = _regular("bundle.json", json.dumps(about).encode())
        tar.addfile(first, io.BytesIO(data))
        import hashlib

        sums = {}
        for info, data in members:
            tar.fileobj.write(info.tobuf(tarfile.GNU_FORMAT))  # type: ignore[union-attr]
            tar.fileobj.write(data + bytes(-len(data) % 512))  # type: ignore[union-attr]
            tar.offset += 512
            sums[info.name] = hashlib.sha256(data).hexdigest()
        last, data = _regular(CHECKSUMS, json.dumps(sums).encode())
        tar.addfile(last, io.BytesIO(data))
    return path


def test_a_file_where_a_folder_belongs_is_told_as_that(tmp_path: Path) -> None:
    for names in (("dataset/a", "dataset/a/b"), ("dataset/a/b", "dataset/a")):
        members = [_regular("limner.toml", b""), _regular("prompts.json", b"[]"), *map(_regular, names)]
        with pytest.raises(BundleError) as caught:
            unbundle(_written(tmp_path, members), tmp_path / "new")
        assert "make room" not in caught.value.one_line()
        assert "don't trust" in caught.value.one_line()
    file = tmp_path / "a file"
    file.touch()
    with pytest.raises(BundleError) as caught:
        unbundle(_written(tmp_path, members[:2]), file / "new")
    assert "make room" not in caught.value.one_line()


def test_paths_out_of_a_bundles_project_are_set_aside_and_told(tmp_path: Path) -> None:
    outside = {
        "base.model": "../../x",
        "base.config": "x/../../y",
        "captions.wd14": "file:../tagger",
        "captions.blip": "~/blip",
        "captions.florence": "/opt/florence",
        "training.network_weights": "../other/lora.safetensors",
    }
    text = "".join(f'{key} = "{value}"\n' for key, value in outside.items())
    inside = 'training.rank = 8\nbase.vae = "models/vae.safetensors"\n'
    members = [_regular("limner.toml", (text + inside).encode()), _regular("prompts.json", b"[]")]
    opened = unbundle(_written(tmp_path, members), tmp_path / "new")
    assert set(opened.set_aside) == {f"{key} = {value!r}" for key, value in outside.items()}
    settings = opened.project.settings
    assert settings.base.model == Settings().base.model
    assert settings.base.vae == Path("models/vae.safetensors")
    assert (settings.captions.blip, settings.training.network_weights) == (Settings().captions.blip, None)
