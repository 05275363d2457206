"""Whatever JSON stands where Immich tells of people, photos and faces: it is one of them, sound, or passed over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.library.immich.records import Asset, Face, asset_of, faces_of, library_faces, markers, person_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
KEYS = ["id", "name", "isHidden", "type", "visibility", "isArchived", "isTrashed", "isOffline", "exifInfo", "tags"]
KEYS += ["fileSizeInByte", "city", "checksum", "libraryId", "originalPath", "originalFileName", "localDateTime"]
KEYS += ["fileCreatedAt", "fileModifiedAt", "isEdited", "person", "imageWidth", "imageHeight", "sourceType", "value"]
KEYS += [f"boundingBox{corner}" for corner in ("X1", "Y1", "X2", "Y2")]
RECORDS = st.dictionaries(
    st.sampled_from(KEYS), st.deferred(lambda: JSON | RECORDS | st.lists(RECORDS, max_size=3)), max_size=len(KEYS)
)


@given(JSON | RECORDS)
def test_any_record_is_a_person_or_none(record: object) -> None:
    found = person_of(record)
    if found is not None:
        assert found.id
        assert_sound(found.id, found.name)


@given(RECORDS.map(lambda record: {"id": "a", **record}) | JSON)
def test_any_record_is_a_photo_or_none(record: object) -> None:
    found = asset_of(record)
    if found is not None:
        assert found.size >= 0
        assert len(found.hash) in (0, 40)
        assert found.weight > 0
        assert_sound(found.id, found.name, found.file_name, found.hash, found.words.place, *found.words.labels)


@given(st.lists(RECORDS.map(lambda record: {"id": "a", **record}) | JSON, max_size=4) | JSON)
def test_any_answer_is_faces_with_boxes_inside_the_picture(answer: object) -> None:
    for face in faces_of(answer):
        check_face(face)


def check_face(face: Face) -> None:
    x, y, w, h = face.box
    assert 0 <= x <= 1
    assert 0 <= y <= 1
    assert 0 <= w <= 1
    assert 0 <= h <= 1
    assert face.measured_on is None or min(face.measured_on) > 0
    assert face.weight > 0
    assert_sound(face.id, face.person, face.name)
    photo = asset_of({"id": "b"})
    assert isinstance(photo, Asset)
    assert [each.marker_uid for each in library_faces(photo, (face,), face.person)] == [face.id]
    assert [each.marker_uid for each in markers(photo, (face,))] == [face.id]


def assert_sound(*texts: str) -> None:
    """Texts that a database and a terminal can be given."""
    for text in texts:
        assert text.encode().decode() == text
        assert len(text) <= 5100
