"""The words of captions: what is cleaned, what leads, what a change to the set does, and undoing it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.dataset.captions.bulk_edits import added, cleaned, having, removed, renamed, tag_counts
from engine.dataset.captions.cleanup_rules import RULES, Cleaner
from engine.dataset.captions.journal import CaptionJournal
from engine.dataset.captions.parts import leads, led, parts_of_prose
from engine.dataset.files.layout import DatasetFolder, TrainingImage, write_caption
from engine.dataset.files.manifest import Manifest
from engine.dataset.readiness import TokenCount, findings
from engine.errors import DatasetError
from engine.project import Project
from engine.settings import CaptionsSettings, CleanUp, PersonSettings, Settings

PERSON = PersonSettings(trigger="jx265", class_word="man")

IDENTITY = (
    *("brown eyes", "green eyes", "black hair", "short hair", "very long hair", "curly hair", "multicolored hair"),
    *("dark skin", "dark-skinned male", "freckles", "mole under eye", "scar on face", "lips", "teeth", "nose"),
    *("large breasts", "collarbone", "thick eyebrows", "mature male", "old man", "solo", "solo focus", "male focus"),
    *("real life insert", "bokeh", "blurry background", "depth of field", "simple background", "white background"),
    *("grey background", "star (symbol)", "genderswap (mtf)", "forehead", "navel", "facial mark", "fat man"),
    *("upper body", "portrait", "cowboy shot", "full body", "bald"),
)

KEPT = (
    *("closed eyes", "half-closed eyes", "hair over one eye", "hair between eyes", "hair ornament", "one eye closed"),
    *("smile", "hat", "looking at viewer", "outdoors", "wet hair", "clenched teeth", "hand on own face", "ponytail"),
    *("beard", "glasses", "lipstick", "brown coat", "hair ribbon", "parted lips", "skirt", "skiing"),
)


def image(number: int, caption: str) -> TrainingImage:
    path = Path(f"/nowhere/{number:04}.png")
    return TrainingImage(path, path.with_suffix(".txt"), caption, 1024, 1024, number, 2048)


def settings(**captions: object) -> Settings:
    return Settings(person=PERSON, captions=CaptionsSettings(**captions))  # type: ignore[arg-type]


@pytest.mark.parametrize("tag", IDENTITY)
def test_what_always_shows_of_a_person_is_dropped(tag: str) -> None:
    assert Cleaner(CaptionsSettings()).tag(tag) == ""


@pytest.mark.parametrize("tag", KEPT)
def test_what_changes_from_picture_to_picture_stays(tag: str) -> None:
    assert Cleaner(CaptionsSettings()).tag(tag) == tag


def test_what_is_the_same_by_another_name_is_replaced() -> None:
    cleaner = Cleaner(CaptionsSettings(replace={"Smile": "smiling", "hat": ""}))
    found = cleaner.parts(["1boy", "realistic", "bottle (object)", "smile", "smiling", "hat", "photo (medium)"])
    assert found == ["man", "photo", "bottle", "smiling"]


def test_every_rule_has_words_and_can_be_switched() -> None:
    assert [rule.id for rule in RULES] == list(CleanUp)
    assert all(rule.words and (rule.drop or rule.swap) for rule in RULES)
    off = Cleaner(CaptionsSettings(rules_off=tuple(CleanUp)))
    assert [off.tag(tag) for tag in ("brown hair", "solo", "realistic")] == ["brown hair", "solo", "realistic"]
    on = Cleaner(CaptionsSettings(rules_on=(CleanUp.BEARD, CleanUp.HAIRSTYLE)))
    assert [on.tag(tag) for tag in ("full beard", "ponytail", "glasses")] == ["", "", "glasses"]


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        ("a man standing on a beach with a dog", ["standing on a beach with a dog"]),
        ("arafed man in a blue suit sitting at a table", ["in a blue suit sitting at a table"]),
        ("A close-up photo of a young man with brown hair and blue eyes.", []),
        ("The image shows a man wearing a hat. He smiles.\nThe man is out.", ["wearing a hat", "smiles", "out"]),
        ("a dog next to a man", ["a dog next to somebody"]),
        ("smiling, navy suit, window light", ["smiling", "navy suit", "window light"]),
    ],
)  # fmt: skip
def test_sentences_become_parts_without_the_one_who_is_shown(said: str, parts: list[str]) -> None:
    assert (
        Cleaner(CaptionsSettings()).parts(parts_of_prose(Cleaner(CaptionsSettings()).sentence(said), PERSON)) == parts
    )


def test_trigger_and_class_word_come_first_exactly_once() -> None:
    assert led(PERSON, ["smile", "jx265 man", "JX265", "a photo of jx265 man", "1boy", "Smile"]) == (
        "jx265, man, smile, a photo of"
    )
    assert [leads(PERSON, text) for text in ("jx265, man, x", "jx265 man, x", "x, jx265", "")] == [2, 1, 0, 0]


SET = [
    image(1, "jx265, man, close-up, smile, brown hair"),
    image(2, "jx265 man, Smile, hat"),
    image(3, "jx265, man, hat"),
    image(4, ""),
]


def test_tags_are_counted_without_the_person_s_words() -> None:
    counts = [(each.tag, each.images) for each in tag_counts(SET, PERSON)]
    assert counts == [("hat", 2), ("smile", 2), ("brown hair", 1), ("close-up", 1)]
    assert [each.path.stem for each in having(SET, "SMILE", PERSON)] == ["0001", "0002"]
    assert [each.path.stem for each in having(SET, "-smile", PERSON)] == ["0003", "0004"]


def test_a_change_touches_only_what_it_is_about() -> None:
    assert renamed(SET, "smile", "hat", settings()).captions == {
        "0001.png": "jx265, man, close-up, hat, brown hair",
        "0002.png": "jx265 man, hat",
    }
    assert removed(SET, ["hat", "smile"], settings()).captions == {
        "0001.png": "jx265, man, close-up, brown hair",
        "0002.png": "jx265 man",
        "0003.png": "jx265, man",
    }
    assert added(SET, "hat", settings(), first=True).captions == {
        "0001.png": "jx265, man, hat, close-up, smile, brown hair"
    }
    assert cleaned(SET, settings()).captions == {
        "0001.png": "jx265, man, close-up, smile",
        "0002.png": "jx265, man, Smile, hat",
    }


def test_a_change_that_makes_no_sense_is_told() -> None:
    for change in (
        lambda: renamed(SET, "nose", "x", settings()),
        lambda: renamed(SET, "hat", "a, b", settings()),
        lambda: removed(SET, ["jx265"], settings()),
        lambda: added(SET, " ", settings()),
    ):
        with pytest.raises(DatasetError):
            change()


def test_what_is_missing_is_told_with_the_images() -> None:
    images = [*SET, image(5, "a man called jx265"), image(6, "somebody, jx265"), image(7, "jx265, man, hat")]
    found = {each.words: each.images for each in findings(images, Manifest(), settings(), TokenCount(len, 75))}
    assert found["no caption"] == ("0004",)
    assert found["jx265 not first"] == ("0005", "0006")
    assert found["the same caption"] == ("0003", "0007")
    assert "more than 75 tokens" not in found
    long = findings([image(1, "jx265, man, " + "x" * 70)], Manifest(), settings(), TokenCount(len, 75))
    assert [each.line for each in long] == ["more than 75 tokens: 0001"]
    assert findings([], Manifest(), settings())[0].stops


def captions(project: Project) -> list[str]:
    return [each.caption for each in DatasetFolder(project).images()]


def test_changes_are_undone_and_redone_across_restarts(built: Project) -> None:
    before = captions(built)
    with built.store() as store:
        CaptionJournal(store, DatasetFolder(built)).write({"0001.png": "jx265, man, a", "0002.png": before[1]}, "edit")
    with built.store() as store:
        change = CaptionJournal(store, DatasetFolder(built)).undo()
        assert change is not None
        assert (change.label, change.images, change.left) == ("edit", ("0001.png",), ())
        assert captions(built) == before
    with built.store() as store:
        journal = CaptionJournal(store, DatasetFolder(built))
        assert journal.redo() is not None
        assert captions(built)[0] == "jx265, man, a"
        journal.undo()
        journal.write({"0002.png": "jx265, man, b"}, "edit")
        assert journal.redo() is None, "after something new nothing is redone"


def test_what_somebody_else_wrote_since_is_not_undone(built: Project) -> None:
    images = DatasetFolder(built).images()
    with built.store() as store:
        journal = CaptionJournal(store, DatasetFolder(built))
        journal.write({"0001.png": "jx265, man, a", "0002.png": "jx265, man, a"}, "edit")
        write_caption(images[0], "jx265, man, mine")
        change = journal.undo()
    assert change is not None
    assert (change.images, change.left) == (("0002.png",), ("0001.png",))
    assert captions(built)[:2] == ["jx265, man, mine", images[1].caption]


def test_what_a_kill_left_unwritten_is_written_next_time(built: Project) -> None:
    before = captions(built)
    with built.store() as store:
        journal = CaptionJournal(store, DatasetFolder(built))
        journal.write({"0001.png": "jx265, man, a", "0002.png": "jx265, man, b"}, "edit")
        # As if the process had died between the database and the second file.
        write_caption(DatasetFolder(built).images()[1], before[1])
        with store.change() as change:
            change.execute("UPDATE caption_changes SET written = 0 WHERE image = '0002.png'")
    with built.store() as store:
        journal = CaptionJournal(store, DatasetFolder(built))
        assert captions(built)[:2] == ["jx265, man, a", "jx265, man, b"]
        journal.undo()
    assert captions(built) == before


def test_a_caption_that_was_not_there_is_gone_again_after_undo(built: Project) -> None:
    first = DatasetFolder(built).images()[0]
    first.caption_path.unlink()
    with built.store() as store:
        journal = CaptionJournal(store, DatasetFolder(built))
        journal.write({"0001.png": "jx265, man, a"}, "edit")
        journal.undo()
    assert not first.caption_path.exists()


def test_typing_is_one_action_and_typing_back_is_none(built: Project) -> None:
    before = captions(built)
    with built.store() as store:
        journal = CaptionJournal(store, DatasetFolder(built))
        action = None
        for text in ("jx265, man, a", "jx265, man, ab", "jx265, man, abc"):
            action = journal.amend(action, "0001.png", text)
            assert captions(built)[0] == text
        journal.undo()
        assert captions(built) == before
        action = journal.amend(None, "0002.png", f"{before[1]}x")
        journal.amend(action, "0002.png", before[1])
        assert journal.undo() is None
        with pytest.raises(DatasetError, match="is empty"):
            journal.amend(None, "0001.png", " ")
        with pytest.raises(DatasetError, match=r"there is no image \.\./x\.png"):
            journal.write({"../x.png": "a"}, "edit")
