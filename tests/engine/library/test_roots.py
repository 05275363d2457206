"""From a row to a file: only inside the folders that were given, and only folders that fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import RootsDoNotFit
from engine.library.paths import ClimbsOut, NoSuchRoot, Root, Roots, check_roots
from engine.settings import LibrarySettings


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"photo")
    return path


def test_each_root_has_its_own_folder(tmp_path: Path) -> None:
    roots = Roots(tmp_path / "o", tmp_path / "s", tmp_path / "i")
    assert roots.path("/", "2019/a.jpg") == tmp_path / "o/2019/a.jpg"
    assert roots.path("sidecar", "2019/a.jpg") == tmp_path / "s/2019/a.jpg"
    assert roots.path("import", "2019/a.jpg") == tmp_path / "i/2019/a.jpg"


def test_a_root_without_a_folder_says_how_to_give_it(tmp_path: Path) -> None:
    with pytest.raises(NoSuchRoot, match="sidecar folder is not set: limner connect --sidecar DIR"):
        Roots(tmp_path).path("sidecar", "a.jpg")
    with pytest.raises(NoSuchRoot, match="examples"):
        Roots(tmp_path).path("examples", "a.jpg")


@pytest.mark.parametrize("name", ["../a.jpg", "x/../../a.jpg", "/etc/passwd", "", "a\0b"])
def test_a_name_that_climbs_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ClimbsOut):
        Roots(tmp_path / "o").path("/", name)


def test_a_link_out_of_the_folder_is_refused_and_one_inside_followed(tmp_path: Path) -> None:
    _file(tmp_path / "outside/a.jpg")
    _file(tmp_path / "o/real/a.jpg")
    (tmp_path / "o/out").symlink_to(tmp_path / "outside")
    (tmp_path / "o/in").symlink_to(tmp_path / "o/real")
    (tmp_path / "linked").symlink_to(tmp_path / "o")
    with pytest.raises(ClimbsOut):
        Roots(tmp_path / "o").path("/", "out/a.jpg")
    assert Roots(tmp_path / "linked").path("/", "in/a.jpg").read_bytes() == b"photo"


def test_the_check_opens_files_from_the_whole_library(tmp_path: Path) -> None:
    files = [("/", f"{year}/{number}.jpg") for year in range(2015, 2020) for number in range(20)]
    for _, name in files:
        _file(tmp_path / "o" / name)
    files.append(("sidecar", "a.heic.jpg"))
    originals, sidecar = check_roots(files, Roots(tmp_path / "o"))
    assert originals.line == f"originals: 5 of 5 sampled files opened ({tmp_path / 'o'})"
    assert sidecar.root is Root.SIDECAR
    assert sidecar.line == "sidecar: not set, 1 file with faces can't be opened"


def test_a_folder_that_lost_some_files_is_told_in_numbers(tmp_path: Path) -> None:
    files = [("/", f"{number}.jpg") for number in range(4)]
    _file(tmp_path / "1.jpg")
    (check,) = check_roots(files, Roots(tmp_path))
    assert (check.opened, check.sampled) == (1, 4)


@pytest.mark.parametrize("given", ["photos/originals/2019", "photos", "photos/sidecar"])
def test_a_folder_that_does_not_fit_names_the_one_that_would(tmp_path: Path, given: str) -> None:
    _file(tmp_path / "photos/originals/2019/a.jpg")
    (tmp_path / "photos/sidecar").mkdir()
    with pytest.raises(RootsDoNotFit, match=f"would fit: --originals {tmp_path}/photos/originals$"):
        check_roots([("/", "2019/a.jpg")], Roots(tmp_path / given))


def test_a_folder_that_fits_nothing_and_one_that_is_not_there_are_told(tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    with pytest.raises(RootsDoNotFit, match=r"holds none of the 1 sampled files, such as x/a\.jpg: give PhotoPrism's"):
        check_roots([("/", "x/a.jpg")], Roots(tmp_path / "deep/er"))
    with pytest.raises(RootsDoNotFit, match="there is no folder"):
        check_roots([("/", "x/a.jpg")], Roots(tmp_path / "nowhere"))
    with pytest.raises(RootsDoNotFit, match="originals folder is not set: give it with --originals DIR"):
        check_roots([("/", "x/a.jpg")], Roots())


def test_a_folder_mounted_below_originals_is_found_by_its_longest_place(tmp_path: Path) -> None:
    mounts = {"family": tmp_path / "nas", "/photoprism/originals/family/2019/": tmp_path / "usb"}
    roots = Roots.of(LibrarySettings(originals=tmp_path / "o", mounts=mounts))
    assert roots.path("/", "2019/a.jpg") == tmp_path / "o/2019/a.jpg"
    assert roots.path("/", "family/2018/a.jpg") == tmp_path / "nas/2018/a.jpg"
    assert roots.path("/", "family/2019/x/a.jpg") == tmp_path / "usb/x/a.jpg"
    assert roots.path("/", "familyalbum/a.jpg") == tmp_path / "o/familyalbum/a.jpg", "whole names, not beginnings"
    with pytest.raises(NoSuchRoot, match="sidecar"):
        roots.path("sidecar", "family/a.jpg")
    for name in ("family/../../a.jpg", "family/2019/../../../etc/passwd"):
        with pytest.raises(ClimbsOut):
            roots.path("/", name)
    assert Roots(mounts=(("family", tmp_path),)).path("/", "family/a.jpg") == tmp_path / "a.jpg"


def test_a_mount_that_is_left_by_a_link_is_refused(tmp_path: Path) -> None:
    _file(tmp_path / "outside/a.jpg")
    (tmp_path / "nas").mkdir()
    (tmp_path / "nas/out").symlink_to(tmp_path / "outside")
    with pytest.raises(ClimbsOut):
        Roots(tmp_path / "o", mounts=(("family", tmp_path / "nas"),)).path("/", "family/out/a.jpg")


def test_each_mount_is_checked_with_files_of_its_own(tmp_path: Path) -> None:
    files = [("/", "2019/a.jpg"), ("/", "family/b.jpg"), ("/", "family/c.jpg")]
    _file(tmp_path / "o/2019/a.jpg")
    _file(tmp_path / "nas/b.jpg")
    originals, family = check_roots(files, Roots(tmp_path / "o", mounts=(("family", tmp_path / "nas"),)))
    assert originals.line == f"originals: 1 of 1 sampled files opened ({tmp_path / 'o'})"
    assert family.line == f"originals/family: 1 of 2 sampled files opened ({tmp_path / 'nas'})"
    with pytest.raises(RootsDoNotFit, match=r"below originals/family, such as family/b\.jpg.*--mount family=DIR"):
        check_roots(files, Roots(tmp_path / "o", mounts=(("family", tmp_path / "o"),)))
    with pytest.raises(RootsDoNotFit, match="there is no folder"):
        check_roots(files, Roots(tmp_path / "o", mounts=(("family", tmp_path / "none"),)))


@pytest.mark.parametrize("place", ["", "/", "../family", "/photoprism/originals/"])
def test_a_mount_at_no_folder_below_originals_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="name a folder below originals"):
        LibrarySettings(mounts={place: Path("/mnt")})


def test_relative_folders_of_the_settings_start_at_the_project(tmp_path: Path) -> None:
    settings = LibrarySettings(originals=Path("../photos"), sidecar=tmp_path / "s")
    roots = Roots.of(settings, tmp_path / "james")
    assert (roots.originals, roots.sidecar, roots.import_folder) == (tmp_path / "photos", tmp_path / "s", None)
