"""Whatever colour profile a photo bears, Limner looks at, measures, cuts and writes what it shows, in sRGB."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pi_heif
import pytest
import pyvips
from PIL import Image, ImageCms

from engine import events
from engine.dataset.build import build
from engine.dataset.export import ExportFormat, export
from engine.dataset.files.layout import DatasetFolder
from engine.faces.crop import cut
from engine.faces.folder_scan import index as look
from engine.faces.photo.colour_profiles import in_srgb
from engine.faces.photo.geometry import Box, Crop, Framing
from engine.faces.photo.jpeg_region import open_part
from engine.faces.photo.loading import open_upright, read_header
from engine.faces.photo.named_profiles import untold_profile
from engine.faces.records.decisions import Decision, Ledger
from engine.faces.records.found_face import FoundFace
from engine.faces.scan import scan
from engine.pictures.painting.vae import fitted
from engine.project import Project
from engine.training.data.images import fit
from tests.support.astronaut import FACE, astronaut, save
from tests.support.colour_profiles import GREY, PROFILES, SRGB, Profile, built_in
from tests.support.rows import usual

SKIN = (224, 140, 110)
NEAR = 2
"""Of 255."""


def chart(mode: str = "RGB") -> Image.Image:
    """Large even fields, so that no compression blurs one into the next: skin, greys, foliage, sky, full colours."""
    fields = [SKIN, (141, 85, 36), (255, 219, 172), (87, 108, 67), (98, 122, 157), (20, 20, 20), (128, 128, 128)]
    fields += [(255, 255, 255), (0, 0, 0), (200, 60, 60), (60, 180, 90), (70, 70, 200)]
    picture = Image.new("RGB", (256, 192))
    for number, colour in enumerate(fields):
        picture.paste(colour, (number % 4 * 64, number // 4 * 64, number % 4 * 64 + 64, number // 4 * 64 + 64))
    return picture.convert(mode)


def middles(picture: Image.Image) -> np.ndarray:
    """The colour in the middle of each field."""
    pixels = np.asarray(picture)
    return np.array([[pixels[row * 64 + 32, column * 64 + 32] for column in range(4)] for row in range(3)], float)


def write(picture: Image.Image, path: Path, profile: bytes | None, **more: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, object] = {"quality": 100, "subsampling": 0} if path.suffix in (".jpg", ".jpeg") else {}
    options |= {"lossless": True} if path.suffix == ".webp" else {}
    if path.suffix == ".heic":
        heif(picture, path, profile)
    else:
        picture.save(path, icc_profile=profile, **options, **more)
    return path


def heif(picture: Image.Image, path: Path, profile: bytes | None) -> None:
    """By libvips, for Pillow's reader of HEIC doesn't write any."""
    image = pyvips.Image.new_from_array(np.asarray(picture))
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    image.heifsave(str(path), lossless=True, compression="av1" if path.suffix == ".avif" else "hevc")


def can_write_heic(tmp: Path) -> bool:
    try:
        heif(chart(), tmp / "probe.heic", None)
    except pyvips.Error:
        return False
    return True


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("profile", PROFILES, ids=lambda each: each.name)
def test_a_photos_colours_are_what_its_profile_says(tmp_path: Path, profile: Profile, suffix: str) -> None:
    path = write(chart(), tmp_path / f"a{suffix}", profile.data)
    expected = profile.in_srgb(middles(chart()))
    assert np.abs(expected - middles(chart())).max() > 8, "or nothing would be tested"
    seen = middles(open_upright(path))
    assert np.abs(seen - expected).max() <= NEAR
    assert (
        np.abs(middles(open_upright(path, at_least=64).resize((256, 192), Image.Resampling.NEAREST)) - expected).max()
        < 5
    )
    assert "icc_profile" not in open_upright(path).info
    assert read_header(path).caution is None


@pytest.mark.parametrize("profile", PROFILES, ids=lambda each: each.name)
@pytest.mark.parametrize("orientation", [1, 6, 3])
def test_both_ways_to_a_crop_give_the_same_colours(tmp_path: Path, profile: Profile, orientation: int) -> None:
    path = save(tmp_path / "a.jpg", astronaut(400), orientation=orientation)
    with Image.open(path) as opened:
        opened.load()
        opened.save(path, icc_profile=profile.data, quality=100, subsampling=0, exif=opened.getexif())
    whole = open_upright(path)
    crop = Crop(60, 40, 256)
    part = open_part(path, whole.size, crop)
    assert part is not None
    apart = np.abs(np.asarray(part, float) - np.asarray(whole.crop(crop.corners), float))
    assert apart.max() <= NEAR
    by_vips = pyvips.Image.new_from_file(str(path)).autorot().icc_transform("srgb", embedded=True)
    theirs = by_vips.crop(crop.left, crop.top, crop.side, crop.side).numpy()
    assert np.percentile(np.abs(np.asarray(part, float) - theirs), 99.9) <= NEAR, "libvips' own icc_transform agrees"


@pytest.mark.parametrize("mode", ["L", "LA"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_grey_of_another_gamma_becomes_the_right_grey(tmp_path: Path, mode: str, suffix: str) -> None:
    if mode == "LA" and suffix != ".png":
        pytest.skip("no transparency there")
    path = write(chart(mode), tmp_path / f"a{suffix}", GREY.data)
    expected = GREY.in_srgb(middles(chart("L")))
    assert np.abs(middles(open_upright(path)) - expected).max() <= NEAR
    assert np.abs(expected[..., 0] - middles(chart("L"))).max() > 8


def test_cmyk_is_what_its_profile_says_in_jpeg_and_tiff(tmp_path: Path) -> None:
    profile = built_in("cmyk")
    to_ink = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(profile)), "RGB", "CMYK"
    )
    inked = to_ink.apply(chart())
    inked.info.clear()
    for name in ("a.jpg", "a.tif"):
        path = write(inked, tmp_path / name, profile)
        by_vips = pyvips.Image.new_from_file(str(path)).icc_transform(
            "srgb", embedded=True, intent="relative", black_point_compensation=True
        )
        theirs = middles(Image.fromarray(by_vips.numpy()))
        assert np.abs(middles(open_upright(path)) - theirs).max() <= NEAR
    naive = middles(inked.convert("RGB"))
    assert np.abs(naive - theirs).max() > 8


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_transparency_and_palettes_keep_theirs_under_a_profile(tmp_path: Path, mode: str) -> None:
    profile = PROFILES[0]
    if mode == "RGBA":
        picture = chart("RGBA")
        picture.putalpha(Image.new("L", picture.size, 255))
        picture.paste((0, 0, 0, 0), (0, 0, 10, 10))
    else:
        picture = chart().quantize(16, dither=Image.Dither.NONE)
    path = write(picture, tmp_path / "a.png", profile.data)
    seen = open_upright(path)
    assert np.abs(middles(seen) - profile.in_srgb(middles(chart()))).max() <= NEAR
    if mode == "RGBA":
        assert seen.getpixel((5, 5)) == (255, 255, 255)


def test_heic_with_a_profile_is_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if can_write_heic(tmp_path):
        path = write(chart(), tmp_path / "a.heic", PROFILES[0].data)
    else:
        # No encoder here: a real HEIC's pixels, and the profile as the reader hands it over.
        path = next(Path("tests/hostile/heic").glob("*.heic"))
        bare = open_upright(path)
        real = pi_heif.HeifImageFile._open

        def with_profile(self: pi_heif.HeifImageFile) -> None:
            real(self)
            self.info["icc_profile"] = PROFILES[0].data

        monkeypatch.setattr(pi_heif.HeifImageFile, "_open", with_profile)
        expected = PROFILES[0].in_srgb(np.asarray(bare, float))
        assert np.abs(np.asarray(open_upright(path), float) - expected).max() <= NEAR + 1
        return
    assert np.abs(middles(open_upright(path)) - PROFILES[0].in_srgb(middles(chart()))).max() <= NEAR + 2


def test_srgbs_own_profile_and_none_change_no_pixel(tmp_path: Path) -> None:
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for number, profile in enumerate((own, None)):
        path = write(chart(), tmp_path / f"{number}.png", profile)
        assert open_upright(path).tobytes() == chart().tobytes()


BROKEN: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "cut": ("RGB", lambda data: data[:200], "damaged"),
    "noise": ("RGB", lambda data: data[:132] + b"\xff" * (len(data) - 132), "damaged"),
    "no profile at all": ("RGB", lambda _: b"not a profile" * 20, "not for RGB pixels"),
    "of grey": ("RGB", lambda _: GREY.data, "not for RGB pixels"),
    "of ink": ("RGB", lambda _: built_in("cmyk"), "not for RGB pixels"),
    "of colours, for ink": ("CMYK", lambda data: data, "not for CMYK pixels"),
}


@pytest.mark.parametrize("name", usual(BROKEN, ("cut", "of grey")))
def test_a_profile_that_cant_be_used_is_passed_over_and_told(tmp_path: Path, project: Project, name: str) -> None:
    mode, spoil, words = BROKEN[name]
    data = spoil(PROFILES[0].data)
    photos = tmp_path / "photos"
    path = write(astronaut().convert(mode), photos / "a.jpg", data)
    plain = write(astronaut().convert(mode), tmp_path / "plain.jpg", None)
    assert open_upright(path).tobytes() == open_upright(plain).tobytes()
    caution = read_header(path).caution
    assert caution is not None
    assert words in caution
    project.change({"library.url": f"folder://{photos}"})
    look(project)
    told: list[events.Event] = []
    scan(project, "person 1", tell=told.append)
    with project.store() as store:
        Ledger(store).decide([face.id for face in Ledger(store).faces()], Decision.KEEP)
    build(project, tell=told.append)
    said = [each.message for each in told if isinstance(each, events.Warning)]
    assert said == [f"a.jpg: {caution}", f"face 1: {caution}"]


def test_crops_images_exports_and_training_see_the_same_colours(tmp_path: Path, project: Project) -> None:
    profile = PROFILES[2]
    photo = write(Image.new("RGB", (512, 512), SKIN), tmp_path / "photos/a.jpg", profile.data)
    skin = profile.in_srgb(np.array(SKIN))
    face = FoundFace(*("ms1", "js1", "James", "ps1", "fs1", "/", "a.jpg", photo, Box(*FACE), 512, 512, 100, None, True))
    with project.store() as store:
        Ledger(store).record("js1", [face, replace(face, marker_uid="ms2", file_uid="fs2")])
        Ledger(store).decide([1], Decision.KEEP)
    project.change({"person.uid": "js1"})
    build(project)
    own = write(Image.new("RGB", (1024, 1024), SKIN), DatasetFolder(project).path / "own.png", profile.data)
    own.with_suffix(".txt").write_text("jx265, man")
    done = export(project, tmp_path / "out", ExportFormat.IMAGEFOLDER)
    with Image.open(own) as opened:
        likeness_and_sources = fitted(opened, (64, 64))
    seen = {
        "crop": cut(face, Framing.CLOSE),
        "image": Image.open(DatasetFolder(project).path / "0001.png"),
        "training": fit(own, (64, 64)).picture,
        "exported": Image.open(done.folder / "own.png"),
        "source": likeness_and_sources,
    }
    for name, picture in seen.items():
        assert np.abs(np.array(picture.getpixel((30, 30)), float) - skin).max() <= NEAR, name
        if name in ("image", "exported"):
            assert "icc_profile" not in picture.info


def test_a_camera_that_names_adobe_rgb_and_brings_no_profile_is_believed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    path = write(chart(), tmp_path / "a.jpg", None, exif=exif.tobytes())
    adobe = next(each for each in PROFILES if each.name == "Adobe RGB")
    assert np.abs(middles(open_upright(path)) - adobe.in_srgb(middles(chart()))).max() <= NEAR
    part = open_part(path, (256, 192), Crop(0, 0, 128))
    assert part is not None
    assert part.tobytes() == open_upright(path).crop((0, 0, 128, 128)).tobytes()
    exif.get_ifd(0x8769)[0xA005] = {1: "R98"}
    plain = write(chart(), tmp_path / "b.jpg", None, exif=exif.tobytes())
    assert np.abs(middles(open_upright(plain)) - middles(chart())).max() <= NEAR


def test_primaries_named_by_number_are_believed() -> None:
    picture = chart()
    picture.info["nclx_profile"] = {"color_primaries": 12}
    picture.info["icc_profile"] = untold_profile(picture)
    assert picture.info["icc_profile"] is not None
    coded = middles(chart()) / 255
    light = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    light = np.clip(light @ np.array(PROFILES[0].primaries) @ np.linalg.inv(SRGB).T, 0, 1)
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    assert np.abs(middles(in_srgb(picture)) - expected).max() <= NEAR
    assert np.abs(expected - middles(chart())).max() > 8
