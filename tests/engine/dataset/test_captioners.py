"""Captions are written by a job: by template, tagger or server, cleaned, and never twice unless asked."""

from __future__ import annotations

import base64
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from engine import events
from engine.dataset.captions.image_facts import Known
from engine.dataset.captions.job import write_captions
from engine.dataset.captions.journal import CaptionJournal
from engine.dataset.captions.start import caption_folder, start_captioning
from engine.dataset.captions.template import template_caption
from engine.dataset.files.layout import DatasetFolder, write_caption
from engine.errors import DatasetError, JobError, LimnerError, ProjectError
from engine.faces.records.measurements import Light, View
from engine.jobs.folder import Request
from engine.jobs.follow import follow, wait
from engine.project import Project
from engine.settings import Told
from tests.support.model_server import Said, answering
from tests.support.onnx_tagger import write_tagger
from tests.support.photoprism import Index

ALWAYS = (0.0, 0.0, 0.0, 3.0)


def captions(project: Project) -> list[str]:
    return [image.caption for image in DatasetFolder(project).images()]


@pytest.fixture
def tagged(built: Project, tmp_path: Path) -> Project:
    tags = dict.fromkeys(("smile", "brown_hair", "closed_eyes", "1boy", "2boys", "blue_shirt", "^_^"), ALWAYS)
    built.change({"captions.wd14": str(write_tagger(tmp_path / "tagger", tags))})
    return built


def test_a_tagger_s_captions_are_clean_and_begin_with_the_person_s_words(tagged: Project) -> None:
    job = start_captioning(tagged, "wd14")
    told = [entry.event for entry in follow(job)]
    wait(job)
    phases = [event for event in told if isinstance(event, events.Phase)]
    assert [(phase.name, phase.done, phase.total) for phase in phases] == [("captions", n, 3) for n in range(4)]
    expected = "jx265, man, close-up, 2boys, ^_^, blue shirt, closed eyes, smile"
    assert captions(tagged) == [expected] * 3, "man comes of 1boy, and is the class word"
    warnings = [event.message for event in told if isinstance(event, events.Warning)]
    assert warnings[0] == "0001.png looks doubtful: 2boys, closed eyes"


def test_what_has_a_caption_is_not_captioned_again_unless_asked(tagged: Project) -> None:
    first = DatasetFolder(tagged).images()[0]
    write_caption(first, "jx265, man, by hand")
    report = write_captions(tagged, "wd14")
    assert (report.written, report.kept) == (["0002.png", "0003.png"], 1)
    again = write_captions(tagged, "wd14")
    assert (again.written, again.kept) == ([], 3)
    assert captions(tagged)[0] == "jx265, man, by hand"
    assert write_captions(tagged, "wd14", overwrite=True).written == ["0001.png"]
    assert write_captions(tagged, "template", overwrite=True, images=["0002.png"]).written == ["0002.png"]
    assert captions(tagged)[1] == "jx265, man, close-up"


def test_one_undo_takes_back_all_that_a_captioner_wrote(tagged: Project) -> None:
    write_captions(tagged, "wd14")
    with tagged.store() as store:
        change = CaptionJournal(store, DatasetFolder(tagged)).undo()
    assert change is not None
    assert (change.label, len(change.images)) == ("captions by wd14", 3)
    assert captions(tagged) == ["jx265, man, close-up"] * 3


def test_a_captioner_that_is_told_to_stop_keeps_what_it_wrote(tagged: Project) -> None:
    asked = iter([False, True])
    report = write_captions(tagged, "wd14", should_stop=lambda: next(asked))
    assert (report.written, report.stopped) == (["0001.png"], True)


KILLED = """
import os, sys, signal
from pathlib import Path
from engine.dataset.captions.job import write_captions
from engine.project import Project

def tell(event):
    if getattr(event, "done", 0) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

write_captions(Project(Path(sys.argv[1])), "wd14", tell=tell)
"""


def test_a_captioner_that_is_killed_goes_on_after_the_last_it_wrote(tagged: Project) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tagged.root)], check=False)
    assert done.returncode == -9
    assert [len(text.split(", ")) > 3 for text in captions(tagged)] == [True, True, False]
    assert write_captions(tagged, "wd14").written == ["0003.png"]


def test_rules_switched_in_the_settings_hold(tagged: Project) -> None:
    tagged.change(
        {
            "captions.rules_off": ["hair", "eyes"],
            "captions.drop": ["2*"],
            "captions.keep": ["1boy"],
            "captions.replace": {"smile": "smiling"},
            "captions.template": [],
        }
    )
    write_captions(tagged, "wd14")
    assert captions(tagged)[0] == "jx265, man, ^_^, blue shirt, brown hair, closed eyes, smiling"
    with pytest.raises(ProjectError, match=r"captions\.rules_off\.0 = 'hare' is invalid"):
        tagged.change({"captions.rules_off": ["hare"]})


def test_a_vision_model_on_a_server_is_shown_the_picture(built: Project) -> None:
    said = Said("**Caption:** A man is standing at a window, wearing a navy suit. He has brown hair and smiles.")
    with answering(Said(status=503, body="busy"), said, models=("llava",)) as asked:
        built.change({"captions.url": asked.url})
        report = write_captions(built, "server", images=["0001.png"])
    assert report.written == ["0001.png"]
    assert captions(built)[0] == "jx265, man, close-up, standing at a window, wearing a navy suit, smiles"
    question = asked.questions[-1]
    assert question["model"] == "llava"
    url = question["messages"][1]["content"][1]["image_url"]["url"]
    kind, _, coded = url.partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(BytesIO(base64.b64decode(coded))) as shown:
        assert (shown.size, shown.format) == ((768, 768), "JPEG")
    assert "jx265" not in str(question), "the trigger word is told to nobody"


def test_a_server_that_is_not_there_or_says_nothing_is_told(built: Project) -> None:
    with pytest.raises(DatasetError, match=r"no server of a vision model is set: set captions\.url"):
        write_captions(built, "server")
    with answering(Said("<think>hm")) as asked:
        built.change({"captions.url": asked.url})
        with pytest.raises(DatasetError, match=r"0001\.png: tiny returned no caption"):
            write_captions(built, "server")
    with pytest.raises(LimnerError, match="nothing answers at"):
        write_captions(built, "server")
    assert captions(built) == ["jx265, man, close-up"] * 3


def test_a_job_whose_model_is_missing_says_what_to_do(built: Project) -> None:
    job = start_captioning(built, "wd14", changes={"captions.wd14": "/nowhere/tagger"})
    with pytest.raises(JobError, match=r"there is no model at /nowhere/tagger: check captions\.wd14"):
        wait(job)


def test_only_one_captioner_works_at_a_time_and_it_can_be_stopped(tagged: Project) -> None:
    job = start_captioning(tagged, "wd14")
    job.ask(Request.STOP)
    with pytest.raises(JobError, match="already running"):
        start_captioning(tagged, "template")
    wait(job)
    assert caption_folder(tagged).path == job.path
    with pytest.raises(DatasetError, match=r"there is no image 0009\.png"):
        start_captioning(tagged, images=["0009.png"])


def test_the_template_says_what_is_known_and_never_guesses(project: Project) -> None:
    settings = project.settings
    everything = Known(0.2, View.PROFILE, Light.DARK, ("Beach", "People", "Portrait", "Dog"), "Lisbon", "2019")
    assert template_caption(settings, everything) == "jx265, man, half body, profile, low light, beach, dog, Lisbon"
    assert template_caption(settings, Known()) == "jx265, man"
    assert template_caption(settings, Known(0.5, View.FRONT, Light.GOOD)) == "jx265, man, close-up"
    settings.captions.template = (Told.YEAR, Told.FRAMING)
    assert template_caption(settings, everything) == "jx265, man, 2019, half body"


def test_the_library_s_labels_and_places_come_into_the_template(built: Project, tmp_path: Path) -> None:
    index = Index()
    james = index.person("James")
    for number in range(3):
        index.face(index.photo(f"{number}.jpg", photo_uid=f"ps{number}"), james)
    url = index.to_sqlite(tmp_path / "index.db")
    with_labels(tmp_path / "index.db")
    built.change({"library.url": url})
    report = write_captions(built, "template")
    assert report.written == ["0001.png", "0002.png"]
    assert captions(built) == [
        "jx265, man, close-up, beach, Lisbon",
        "jx265, man, close-up, dog",
        "jx265, man, close-up",
    ]


def test_without_the_library_the_template_goes_on(built: Project) -> None:
    built.change({"library.url": "sqlite:///nowhere/index.db"})
    told: list[events.Event] = []
    DatasetFolder(built).images()[0].caption_path.unlink()
    assert write_captions(built, "template", tell=told.append).written == ["0001.png"]
    assert any(isinstance(each, events.Warning) and "labels can't be read" in each.message for each in told)


def with_labels(path: Path) -> None:
    """Labels and places as PhotoPrism's own tables hold them: photos 0 at a beach in Lisbon, 1 with a dog."""
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.executescript(
            """
            CREATE TABLE labels (id int, label_name varchar(160), label_priority int, deleted_at datetime);
            CREATE TABLE photos_labels (photo_id int, label_id int, label_src varbinary(8), uncertainty smallint);
            CREATE TABLE places (id varbinary(42), place_label varchar(400), place_city varchar(100));
            ALTER TABLE photos ADD COLUMN place_id varbinary(42);
            INSERT INTO labels VALUES (1, 'Beach', 0, NULL), (2, 'Dog', 0, NULL), (3, 'Car', 0, NULL),
                (4, 'People', 0, NULL), (5, 'Cat', 0, '2020-01-01');
            INSERT INTO places VALUES ('zz', 'Unknown', 'Unknown'), ('pt:1', 'Lisbon, Portugal', '');
            """
        )
        ids = [row[0] for row in connection.execute("SELECT id FROM photos ORDER BY photo_uid")]
        links = [(ids[0], 1, 20), (ids[0], 3, 70), (ids[0], 4, 5), (ids[1], 2, 0), (ids[1], 5, 0)]
        connection.executemany("INSERT INTO photos_labels VALUES (?, ?, 'image', ?)", links)
        connection.execute("UPDATE photos SET place_id = 'zz'")
        connection.execute("UPDATE photos SET place_id = 'pt:1' WHERE id = ?", (ids[0],))
    connection.close()
