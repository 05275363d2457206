"""The same answers from PhotoPrism's index on MariaDB and on SQLite."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from engine.errors import LibraryError, NotALibrary
from engine.library.people import find_person
from tests.support.photoprism import Index, OpenLibrary


def test_people_are_listed_with_their_confirmed_and_matched_faces(opened: OpenLibrary) -> None:
    index = Index()
    james, jana, nobody = index.person("James"), index.person("Jäna Žižková"), index.person("Nobody")
    for year in (2008, 2015, 2024):
        index.face(index.photo(f"{year}/a.jpg", taken=f"{year}-03-04 05:06:07"), james, src="manual")
    index.face(index.photo("2016/b.jpg", taken="2016-01-01 00:00:00"), james, src="")
    index.face(index.photo("2016/c.jpg", taken="2016-01-01 00:00:00"), james, src="admin")
    index.face(index.photo("2019/j.jpg", taken="2019-01-01 00:00:00"), jana, src="xmp")
    people = opened(index).people()
    assert [(each.name, each.faces, each.confirmed, each.first_year, each.last_year) for each in people] == [
        ("James", 5, 4, 2008, 2024),
        ("Jäna Žižková", 1, 0, 2019, 2019),
    ]
    assert people[0].id == james["subj_uid"]
    assert nobody["subj_uid"] not in {each.id for each in people}


def test_what_photoprism_hides_stays_hidden(opened: OpenLibrary) -> None:
    index = Index()
    james = index.person("James")
    seen = index.photo("seen.jpg")
    index.face(seen, james)
    index.face(seen, james, marker_invalid=1)
    index.face(seen, james, marker_type="label")
    index.face(seen, james, box=(0.1, 0.1, 0.0, 0.2))
    index.face(index.photo("archived.jpg", deleted_at="2024-01-01 00:00:00"), james)
    index.face(index.photo("low.jpg", photo_quality=-1), james)
    index.face(index.photo("gone.jpg", file_missing=1), james)
    index.face(index.photo("broken.jpg", file_error="decode failed"), james)
    index.face(index.photo("private.jpg", photo_private=1), james)
    index.face(index.photo("x.jpg"), index.person("Hidden", subj_hidden=1))
    index.face(index.photo("y.jpg"), index.person("Deleted", deleted_at="2024-01-01 00:00:00"))
    index.face(index.photo("z.jpg"), index.person("A dog", subj_type="other"))
    library = opened(index)
    (person,) = library.people()
    assert (person.name, person.faces) == ("James", 1)
    assert [face.file_name for face in library.faces(person)] == ["seen.jpg"]


def test_private_photos_come_when_asked_for(opened: OpenLibrary) -> None:
    index = Index()
    index.face(index.photo("private.jpg", photo_private=1), index.person("James"))
    library = opened(index, private=True)
    assert [face.file_name for face in library.faces(library.people()[0])] == ["private.jpg"]


def test_a_face_comes_with_plain_text_numbers_and_date(opened: OpenLibrary) -> None:
    index = Index()
    james, jana = index.person("James"), index.person("Jana")
    file = index.photo("2022/Übersee/0001", (4032, 3024), "2022-10-15 15:58:24", file_root="sidecar")
    marker = index.face(file, james, box=(0.25, 0.5, 0.125, 0.75), src="")
    index.face(file, jana)
    index.face(file, None)
    index.face(file, None, marker_invalid=1)
    library = opened(index)
    (face,) = library.faces(james["subj_uid"])
    assert face.marker_uid == marker["marker_uid"]
    assert (face.file_root, face.file_name) == ("sidecar", "2022/Übersee/0001")
    assert face.box == (0.25, 0.5, 0.125, 0.75)
    assert (face.file_width, face.file_height) == (4032, 3024)
    assert face.taken_at == "2022-10-15 15:58:24"
    assert (face.person, face.confirmed, face.neighbours) == ("James", False, 2)


def test_a_name_of_digits_stays_text(opened: OpenLibrary) -> None:
    index = Index()
    index.face(index.photo("2019"), index.person("1984"))
    library = opened(index)
    (person,) = library.people()
    (face,) = library.faces(person)
    assert (person.name, face.file_name) == ("1984", "2019")


def test_the_same_file_name_in_two_folders_and_two_roots_is_kept_apart(opened: OpenLibrary) -> None:
    index = Index()
    james = index.person("James")
    for name, root in (("a/IMG_1.jpg", "/"), ("b/IMG_1.jpg", "/"), ("a/IMG_1.jpg.jpg", "sidecar")):
        index.face(index.photo(name, file_root=root), james)
    library = opened(index)
    expected = {("/", "a/IMG_1.jpg"), ("/", "b/IMG_1.jpg"), ("sidecar", "a/IMG_1.jpg.jpg")}
    assert {(face.file_root, face.file_name) for face in library.faces(james["subj_uid"])} == expected
    assert set(library.files()) == expected


def test_older_releases_lack_columns_and_are_read_all_the_same(opened: OpenLibrary) -> None:
    index = Index(without={"photos": {"photo_private", "photo_quality"}, "files": {"file_error"}, "markers": {"q"}})
    index.face(index.photo("a.jpg"), index.person("James"))
    library = opened(index)
    assert library.people()[0].faces == 1
    assert len(list(library.faces(library.people()[0]))) == 1


def test_the_library_says_what_it_is_and_how_much_is_in_it(opened: OpenLibrary) -> None:
    index = Index()
    file = index.photo("a.jpg")
    index.face(file, index.person("James"))
    index.face(file, None)
    index.face(file, None, marker_invalid=1)
    index.photo("b.jpg", deleted_at="2024-01-01 00:00:00")
    description = opened(index).describe()
    assert (description.photos, description.faces) == (1, 2)
    assert description.server.startswith(("MariaDB 1", "SQLite 3."))


@pytest.mark.parametrize("statement", ["UPDATE markers SET subj_uid = ''", "DELETE FROM photos", "DROP TABLE files"])
def test_nothing_can_be_written(opened: OpenLibrary, statement: str) -> None:
    index = Index()
    index.face(index.photo("a.jpg"), index.person("James"))
    library = opened(index)
    with pytest.raises(DBAPIError):
        library.connection.execute(text(statement))
    library.connection.rollback()
    assert library.people()[0].faces == 1


def test_an_index_without_photoprisms_tables_is_told(opened: OpenLibrary) -> None:
    index = Index(without={"files": {"file_width"}})
    with pytest.raises(NotALibrary, match="its table files has no file_width"):
        opened(index)


def test_a_person_is_found_by_name_in_any_case_and_by_id(opened: OpenLibrary) -> None:
    index = Index()
    james = index.person("James Café")
    index.face(index.photo("a.jpg"), james)
    index.face(index.photo("b.jpg"), index.person("Jana"))
    people = opened(index).people()
    assert find_person(people, "jAMES cAFÉ").id == james["subj_uid"]
    assert find_person(people, james["subj_uid"]).name == "James Café"
    with pytest.raises(LibraryError, match=r"nobody .* called Jans: did you mean Jana\?"):
        find_person(people, "Jans")
    with pytest.raises(LibraryError, match=r"did you mean James Café\?"):
        find_person(people, "james")


def test_a_thousand_faces_are_read_in_a_moment(opened: OpenLibrary, tmp_path: Path) -> None:
    index = Index()
    james = index.person("James")
    for number in range(1000):
        index.face(index.photo(f"{number}.jpg"), james)
    library = opened(index)
    assert len(list(library.faces(james["subj_uid"]))) == 1000


def test_the_other_faces_of_a_person_s_photos_are_told_named_or_not(opened: OpenLibrary) -> None:
    index = Index()
    james, jana = index.person("James"), index.person("Jana")
    together, alone = index.photo("together.jpg"), index.photo("jana.jpg")
    own = index.face(together, james, box=(0.1, 0.1, 0.2, 0.2))
    hers = index.face(together, jana, box=(0.5, 0.1, 0.2, 0.2))
    stranger = index.face(together, None, box=(0.8, 0.1, 0.1, 0.1))
    index.face(together, jana, marker_invalid=1)
    index.face(alone, jana)
    library = opened(index)
    beside = {marker.marker_uid: marker for marker in library.markers_beside(james["subj_uid"])}
    assert beside.keys() == {own["marker_uid"], hers["marker_uid"], stranger["marker_uid"]}
    assert {marker.file_uid for marker in beside.values()} == {together["file_uid"]}
    assert beside[hers["marker_uid"]].box == pytest.approx((0.5, 0.1, 0.2, 0.2))


def test_embeddings_are_read_of_those_asked_for_at_unit_length(opened: OpenLibrary) -> None:
    index = Index()
    james = index.person("James")
    texts = ["[[3,4,0]]", "[[0,0,2],[1,0,0]]", "", "[]", "[[0,0,0]]", "not json", "[[1,2]]"]
    faces = [index.face(index.photo(f"{i}.jpg"), james, embeddings_json=text) for i, text in enumerate(texts)]
    markers = [face["marker_uid"] for face in faces]
    found = {each.marker_uid: each for each in opened(index).embeddings(markers[:6])}
    assert found.keys() == set(markers[:2])
    assert found[markers[0]].space == "photoprism 3"
    assert struct.unpack("<3e", found[markers[0]].values) == pytest.approx((0.6, 0.8, 0), abs=1e-3)
    assert struct.unpack("<3e", found[markers[1]].values) == (0, 0, 1)


def test_a_release_without_embeddings_has_none(opened: OpenLibrary) -> None:
    index = Index(without={"markers": {"embeddings_json"}})
    face = index.face(index.photo("a.jpg"), index.person("James"))
    assert list(opened(index).embeddings([face["marker_uid"]])) == []
