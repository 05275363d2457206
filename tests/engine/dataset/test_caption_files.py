"""A caption's file is changed in the line that is the caption, and an undo brings back every byte."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dataset.build import build
from engine.dataset.captions.bulk_edits import renamed
from engine.dataset.captions.job import write_captions
from engine.dataset.captions.journal import CaptionJournal
from engine.dataset.export import ExportFormat, export
from engine.dataset.files.caption_file import MARKS, parse_caption, with_caption
from engine.dataset.files.layout import DatasetFolder
from engine.dataset.files.manifest import read_manifest
from engine.errors import DatasetError
from engine.faces.records.decisions import Decision, Ledger
from engine.project import Project
from tests.support.rows import usual

FILES = {
    "one line": b"jx265, man, smile",
    "blank around it": b"  jx265, man, smile \t\n\n",
    "blank lines first": b"\n \r\njx265, man, smile\n",
    "comma at its end": b"jx265, man, smile,\n",
    "several lines": b"jx265, man, smile\nsecond line, kept\n\nthird\n",
    "windows": b"jx265, man, smile\r\nsecond line\r\n",
    "old mac": b"jx265, man, smile\rsecond line\r",
    "no end": b"jx265, man, smile\nsecond line",
    "bom": codecs.BOM_UTF8 + "jx265, man, smile, Übung\nzweite\n".encode(),
    "utf-16": "\ufeffjx265, man, smile, \U0001f600\r\nsecond\r\n".encode("utf-16-le"),
    "utf-16 big": "\ufeffjx265, man, smile\n".encode("utf-16-be"),
    "utf-32": "\ufeffjx265, man, smile\nsecond\n".encode("utf-32-le"),
    "line separator": "jx265, man, smile\u2028on the same line\x0b\x85\n".encode(),
}


def caption_file(project: Project, name: str = "0001") -> Path:
    return DatasetFolder(project).path / f"{name}.txt"


def journal_of(project: Project, do: Callable[[CaptionJournal], object]) -> None:
    with project.store() as store:
        do(CaptionJournal(store, DatasetFolder(project)))


def rename_smile(project: Project) -> None:
    edit = renamed(DatasetFolder(project).images(), "smile", "grin", project.settings)
    journal_of(project, lambda journal: journal.write(edit.captions, edit.label))


def set_whole(project: Project) -> None:
    journal_of(project, lambda journal: journal.write({"0001.png": "jx265, man, grin"}, "edit"))


def type_letters(project: Project) -> None:
    def typed(journal: CaptionJournal) -> None:
        action = journal.amend(None, "0001.png", "jx265, man, g")
        journal.amend(action, "0001.png", "jx265, man, grin")

    journal_of(project, typed)


def overwrite(project: Project) -> None:
    write_captions(project, "template", overwrite=True)


def change_trigger(project: Project) -> None:
    project.change({"person.trigger": "grin7"})
    build(project)


CHANGES = [rename_smile, set_whole, type_letters, overwrite, change_trigger]


@pytest.mark.parametrize("change", usual(CHANGES, 4))
def test_an_undo_brings_back_every_byte_and_a_redo_too(built: Project, change: Callable[[Project], None]) -> None:
    for name, data in FILES.items():
        if change is rename_smile and name == "line separator":
            continue  # The last tag of that line is no smile.
        caption_file(built).write_bytes(data)
        change(built)
        changed = caption_file(built).read_bytes()
        assert changed != data, name
        journal_of(built, lambda journal: journal.undo())
        assert caption_file(built).read_bytes() == data, name
        journal_of(built, lambda journal: journal.redo())
        assert caption_file(built).read_bytes() == changed, name
        if change is change_trigger:
            built.change({"person.trigger": "jx265"})
            build(built)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.long
def test_further_lines_and_the_encoding_outlive_every_change(built: Project, change: Callable[[Project], None]) -> None:
    for name in ("several lines", "windows", "old mac", "bom", "utf-16", "utf-32"):
        caption_file(built).write_bytes(FILES[name])
        before = parse_caption(FILES[name], name)
        change(built)
        after = parse_caption(caption_file(built).read_bytes(), name)
        assert after.caption != before.caption
        assert (after.mark, after.encoding, after.more) == (before.mark, before.encoding, before.more)
        assert after.text.removeprefix(after.caption) == before.text.removeprefix(before.caption)
        built.change({"person.trigger": "jx265"})
        build(built)


def test_an_undo_of_an_empty_or_missing_file_leaves_it_so(built: Project) -> None:
    caption_file(built, "0001").write_bytes(b"")
    caption_file(built, "0002").unlink()
    for name in ("0001.png", "0002.png"):
        journal_of(built, lambda journal, name=name: journal.write({name: "jx265, man, new"}, "edit"))
        assert caption_file(built, name[:4]).read_bytes() == b"jx265, man, new\n"
        journal_of(built, lambda journal: journal.undo())
    assert caption_file(built, "0001").read_bytes() == b""
    assert not caption_file(built, "0002").exists()


def test_what_somebody_wrote_since_stays_also_where_only_a_byte_differs(built: Project) -> None:
    set_whole(built)
    caption_file(built).write_bytes(b"jx265, man, grin\n\n")
    journal_of(built, lambda journal: journal.undo())
    assert caption_file(built).read_bytes() == b"jx265, man, grin\n\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("jx265, man, Übung".encode("latin-1"), r"0001.txt is not UTF-8 text \(byte 12\)"),
        ("jx265, man".encode("utf-16-le"), "0001.txt holds NUL bytes: not a text file, or UTF-16 without"),
        (codecs.BOM_UTF16_LE + b"j\x00x", "0001.txt is not UTF-16 text"),
    ],
)
def test_an_encoding_that_cant_be_told_is_refused_by_name(built: Project, data: bytes, words: str) -> None:
    caption_file(built).write_bytes(data)
    for ask in (lambda: DatasetFolder(built).images(), lambda: set_whole(built), lambda: build(built)):
        with pytest.raises(DatasetError, match=words):
            ask()
    assert caption_file(built).read_bytes() == data


def test_utf_16_is_read_listed_and_exported_as_what_it_says(built: Project, tmp_path: Path) -> None:
    caption_file(built).write_bytes(FILES["utf-16"])
    folder = DatasetFolder(built)
    assert folder.images()[0].caption == "jx265, man, smile, \U0001f600"
    assert "only the first line is read of 0001" in folder.checks()
    done = export(built, tmp_path / "out", ExportFormat.KOHYA)
    written = (done.folder / folder.wanted_name / "0001.txt").read_bytes()
    assert written == "jx265, man, smile, \U0001f600\n".encode()


def test_a_caption_of_several_lines_comes_back_with_its_face(built: Project) -> None:
    caption_file(built).write_bytes(FILES["windows"])
    for decision in (Decision.REJECT, Decision.KEEP):
        with built.store() as store:
            Ledger(store).decide([1], decision)
        build(built)
    assert caption_file(built).read_bytes() == FILES["windows"]
    assert not read_manifest(built.dataset).aside


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@given(texts, st.sampled_from([(b"", "utf-8"), *MARKS]), texts.map(lambda text: " ".join(text.split())).filter(bool))
def test_only_the_caption_changes_whatever_the_file_holds(text: str, mark: tuple[bytes, str], line: str) -> None:
    text = text.removeprefix("\ufeff")
    data = mark[0] + text.encode(mark[1])
    before = parse_caption(data, "a.txt")
    after = parse_caption(with_caption(data, line, "a.txt"), "a.txt")
    assert after.caption == line
    assert after.more == before.more
    if before.caption:
        assert with_caption(after.data, before.caption, "a.txt") == data
