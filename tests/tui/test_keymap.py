"""The user's keys: laid over the registry's, shown everywhere, wrong ones named with their line and never fatal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.faces.records.decisions import Decision, Ledger
from engine.project import Project
from tests.support.pictures import settle
from tests.tui.test_journeys import press, shown, type_text, until
from tui.actions.keys import key_named
from tui.app.app import LimnerApp
from tui.cli.main import limner
from tui.places import config_folder
from tui.theming.keymap import Keymap, keymap_of
from tui.theming.user_config import read_config
from tui.widgets.rows import Rows


def configured(text: str) -> Path:
    folder = config_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)
    return folder


def keymap(text: str) -> Keymap:
    return keymap_of(read_config(configured(text)))


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("k", "k"),
        ("K", "K"),
        ("?", "question_mark"),
        ("/", "slash"),
        ("+", "plus"),
        ("-", "minus"),
        ("question_mark", "question_mark"),
        ("Esc", "escape"),
        ("PgUp", "pageup"),
        ("F5", "f5"),
        ("Ctrl+P", "ctrl+p"),
        ("shift+tab", "shift+tab"),
        ("shift+k", "K"),
        ("ctrl++", "ctrl+plus"),
        ("é", "é"),
        (" ", "space"),
    ],
)
def test_keys_are_read_as_people_write_them(written: str, key: str) -> None:
    assert key_named(written) == key


@pytest.mark.parametrize("written", ["", "ecsape", "hyper+k", "ctrl+", "kk", "f99", "\x01"])
def test_what_is_no_key_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        key_named(written)


class TestWhatIsWrongIsNamedWithItsLine:
    def one(self, text: str) -> str:
        problems = keymap(text).problems
        assert len(problems) == 1, problems
        assert problems[0].one_line().startswith(str(config_folder() / "config.toml") + ":")
        return f"{problems[0].line}: {problems[0].what}"

    def test_an_unknown_action_with_the_nearest(self) -> None:
        told = self.one('[keys]\n\n"faces.kepe" = "k"')
        assert told == "3: there is no action called faces.kepe; did you mean faces.keep?"

    def test_an_unknown_key_with_the_nearest(self) -> None:
        told = self.one('[keys]\n"faces.keep" = ["enterr", "a"]')
        assert told == "2: faces.keep: there is no key 'enterr'; did you mean enter?"
        assert keymap('[keys]\n"faces.keep" = ["enterr", "a"]').keys["faces.keep"] == ("a",)

    def test_a_key_given_twice(self) -> None:
        told = self.one('[keys]\n"faces.keep" = "a"\n"faces.reject" = ["a", "d"]')
        assert told == "3: faces.reject: a is assigned to faces.keep already"

    def test_a_key_taken_from_another_action(self) -> None:
        told = [problem.what for problem in keymap('[keys]\n"faces.keep" = ["k", "space"]').problems]
        others = ("list.up", "grid.up", "compare.up")
        assert told == [f"faces.keep takes k from {other}, which keeps ↑" for other in others]
        assert (
            keymap('[keys]\n"faces.keep" = "x"').problems[0].what.endswith("faces.reject, which is left without a key")
        )

    def test_a_key_that_is_swallowed_on_the_way(self) -> None:
        assert "2: faces.keep: ctrl+s may never arrive: flow control" in self.one('[keys]\n"faces.keep" = "ctrl+s"')

    def test_a_letter_that_is_text_in_a_field(self) -> None:
        assert "2: field.leave: q is text in a field" in self.one('[keys]\n"field.leave" = "q"')

    def test_an_action_that_would_be_out_of_reach(self) -> None:
        assert "2: app.command_palette needs a key" in self.one('[keys]\n"app.command_palette" = []')

    def test_a_value_of_another_kind(self) -> None:
        assert self.one('[keys]\n"faces.keep" = 3') == '2: faces.keep needs a key or a list of keys: ["k", "space"]'

    def test_an_unknown_setting(self) -> None:
        assert self.one('theme = "limner-light"\ntheem = "x"') == "2: unknown key theem; did you mean theme?"

    def test_a_file_that_is_no_toml(self) -> None:
        assert self.one('theme = "limner-light"\n[keys\n').startswith("2: not valid TOML")

    @pytest.mark.parametrize("text", ['[keys.faces]\nkepe = "k"', '[keys]\nfaces.kepe = "k"', "keys.faces.kepe = 'k'"])
    def test_however_it_is_written(self, text: str) -> None:
        assert self.one(text).startswith(f"{len(text.splitlines())}: there is no action called faces.kepe")


def test_what_was_swapped_is_no_clash() -> None:
    swapped = keymap('[keys]\n"faces.keep" = "x"\n"faces.reject" = "y"')
    assert swapped.problems == ()
    assert swapped.keys == {"faces.keep": ("x",), "faces.reject": ("y",)}


def test_screens_that_never_meet_may_share_a_key() -> None:
    assert keymap('[keys]\n"dataset.build" = "y"').problems == ()


def test_limner_keys_and_locate_tell_the_users() -> None:
    folder = configured('[keys]\n"faces.keep" = ["a", "space"]\n"faces.kepe" = "b"\n')
    done = CliRunner().invoke(limner, ["keys", "--json"])
    told = {each["id"]: each for each in json.loads(done.stdout)["keys"]}
    assert told["faces.keep"]["keys"] == ["a", "space"]
    assert told["faces.keep"]["yours"]
    assert not told["faces.reject"]["yours"]
    assert "config.toml:3: there is no action called faces.kepe" in done.stderr
    assert done.exit_code == 0
    assert str(folder / "config.toml") in CliRunner().invoke(limner, ["locate"]).stdout


async def test_footer_help_and_palette_show_the_users_keys_and_they_act(story: Project) -> None:
    configured('[keys]\n"faces.keep" = ["space"]\n"faces.filter" = "f"\n"app.themes" = "f8"\n')
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "space keep" in shown(pilot)
        assert "f filter" in shown(pilot)
        face = app.screen.query_one("#faces", Rows).item
        assert face is not None
        await press(pilot, "y")
        assert decision_on(story, face.id) is face.decision
        await press(pilot, "c", "space")
        assert decision_on(story, face.id) is Decision.KEEP
        await press(pilot, "f")
        await type_text(pilot, "px")
        assert app.focused is not None
        assert app.focused.id == "filter"
        await press(pilot, "escape", "question_mark")
        assert "space" in shown(pilot)
        await press(pilot, "escape", "colon")
        await type_text(pilot, "keep this face")
        await until(pilot, lambda: "Faces: Keep this face  space" in shown(pilot))
        await press(pilot, "escape", "f8")
        await until(pilot, lambda: "limner-dusk" in shown(pilot))


def decision_on(project: Project, face_id: int) -> Decision:
    with project.store() as store:
        return Ledger(store).face(face_id).decision


async def test_a_wrong_entry_is_told_and_the_app_is_there(story: Project) -> None:
    configured('[keys]\n"faces.kepe" = "space"\n')
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        assert "Left out, or not as you may think" in shown(pilot)
        # Where the file's path is long, the words are on two rows of the screen.
        assert any("there is no action called faces.kepe" in each.message for each in app._notifications)
        assert "y keep" in shown(pilot)


async def test_keys_are_taken_up_while_their_file_is_edited(story: Project) -> None:
    async with LimnerApp(story.root, story).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        configured('[keys]\n"faces.keep" = ["space"]\n')
        await until(pilot, lambda: "space keep" in shown(pilot))


@pytest.mark.long
async def test_a_list_moves_as_vim_does(story: Project) -> None:
    configured('[keys]\n"app.prompts" = "f10"\n')
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        rows = app.screen.query_one("#faces", Rows)
        await press(pilot, "G")
        assert rows.cursor == len(rows.items) - 1
        await press(pilot, "g")
        assert rows.cursor == len(rows.items) - 1
        await press(pilot, "g")
        assert rows.cursor == 0
        await press(pilot, "0", "7", "j")
        assert rows.cursor == 7
        await press(pilot, "5", "j", "j")
        assert rows.cursor == 13
        await press(pilot, "0", "5", "g", "g")
        assert rows.cursor == 4
        await press(pilot, "9", "G")
        assert rows.cursor == 8
        await press(pilot, "9", "w", "w", "j")
        assert rows.cursor == 9
        await press(pilot, "g", "j", "g")
        assert rows.cursor == 10
        await press(pilot, "home")
        assert rows.cursor == 0
        await press(pilot, "2")
        assert rows.cursor == 0


@pytest.mark.long
async def test_dialogs_obey_the_users_keys_and_name_them(story: Project) -> None:
    configured('[keys]\n"answer.yes" = "J"\n"faces.keep_all" = "B"\n"faces.build" = "Y"')
    app = LimnerApp(story.root, story)
    async with app.run_test(size=(100, 30)) as pilot:
        await press(pilot, "2", "B")
        assert "J yes   n no" in shown(pilot)
        await press(pilot, "y")
        assert "J yes" in shown(pilot), "the key as it came does nothing any more"
        await press(pilot, "question_mark")
        assert "Yes or no" in shown(pilot)
        assert "Go to Faces" not in shown(pilot), "that can't be done while something is asked"
        await press(pilot, "question_mark", "J")
        assert "J yes" not in shown(pilot)
        with story.store() as store:
            assert Decision.UNDECIDED not in {face.decision for face in Ledger(store).faces() if not face.problem}


async def test_empty_screens_name_the_users_keys(tmp_path: Path) -> None:
    configured('[keys]\n"connect.new_project" = "M"\n"app.connect" = "f7"')
    app = LimnerApp(tmp_path, None)
    async with app.run_test(size=(100, 30)) as pilot:
        await press(pilot, "3")
        assert "f7    goes to Connect, where M makes one." in shown(pilot)
        await press(pilot, "f7")
        assert "M     makes one here" in shown(pilot)
        configured('[keys]\n"connect.new_project" = "W"')
        await until(pilot, lambda: "W     makes one here" in shown(pilot))
