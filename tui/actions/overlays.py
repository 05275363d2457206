"""What lies over a screen: questions, lists to choose from, switches, what is read, leaving."""

from __future__ import annotations

from collections.abc import Mapping

from tui.actions.action import Action, Scope


def _key(id_: str, description: str, *keys: str) -> Action:
    """An action of something that lies over a screen: the palette can't reach it."""
    return Action(id_, description, keys, palette=False)


OVERLAYS: tuple[Action, ...] = (
    _key("answer.yes", "Yes", "y", "enter"),
    _key("answer.no", "No", "n", "escape", "q"),
    _key("choice.take", "Accept the choice or the text", "enter"),
    _key("choice.leave", "Cancel", "escape", "q"),
    _key("choice.turn", "Switch to the other list, field or mode", "tab", "shift+tab"),
    _key("picker.add", "Add it to the prompt, beside other LoRAs", "space"),
    _key("captioner.overwrite", "Toggle overwriting existing captions", "o"),
    _key("switches.switch", "Switch it on or off", "space", "enter"),
    _key("switches.leave", "Close", "escape", "q"),
    _key("reading.down", "Down a line", "j", "down"),
    _key("reading.up", "Up a line", "k", "up"),
    _key("reading.page_down", "A page down", "ctrl+d", "pagedown", "space"),
    _key("reading.page_up", "A page up", "ctrl+u", "pageup"),
    _key("reading.top", "Start", "g", "home"),
    _key("reading.bottom", "End", "G", "end"),
    _key("reading.close", "Close", "q", "escape", "enter"),
    _key("help.doctor", "Open the doctor", "d"),
    _key("doctor.look", "Check again", "r"),
    _key("leaving.take", "Take what is under the cursor", "enter"),
    _key("leaving.running", "Leave the run running", "r"),
    _key("leaving.after_epoch", "Stop the run after this epoch", "e"),
    _key("leaving.now", "Stop the run now", "s"),
    _key("leaving.stay", "Stay", "q", "escape", "n", "backspace"),
    _key("settings.edit", "Edit the setting, or choose the next value", "enter", "i"),
    _key("settings.next_choice", "Next choice", "l", "right"),
    _key("settings.previous_choice", "Previous choice", "h", "left"),
    _key("settings.reset", "Reset to the default: remove it from the file", "x", "backspace"),
    _key("settings.next_section", "Next section", "tab"),
    _key("settings.previous_section", "Previous section", "shift+tab"),
    _key("settings.filter", "Filter the settings by words", "slash"),
    _key("settings.leave", "Close", "escape", "q"),
    _key("large.next", "Next", "j", "down", "right", "l", "space"),
    _key("large.previous", "Previous", "k", "up", "left", "h"),
    _key("large.top", "First", "g", "home"),
    _key("large.bottom", "Last", "G", "end"),
    _key("large.close", "Back to the list", "escape", "q", "v", "enter"),
    _key("compare.left", "Pane on the left", "h", "left"),
    _key("compare.right", "Pane on the right", "l", "right"),
    _key("compare.down", "Pane below, or the next one", "j", "down"),
    _key("compare.up", "Pane above, or the previous one", "k", "up"),
    _key("compare.other", "Next pane", "tab"),
    _key("compare.other_back", "Previous pane", "shift+tab"),
    _key("compare.next", "Next one in this pane", "n"),
    _key("compare.previous", "Previous one in this pane", "p"),
    _key("compare.choose", "Choose it: keep it (or make it a favourite) and reject the others", "Y"),
    _key("compare.two", "Compare two", "2"),
    _key("compare.four", "Compare four", "4"),
    _key("compare.leave", "Reset the crop", "escape", "q", "v", "enter"),
    _key("crop.left", "Left", "h", "left"),
    _key("crop.down", "Down", "j", "down"),
    _key("crop.up", "Up", "k", "up"),
    _key("crop.right", "Right", "l", "right"),
    _key("crop.far_left", "Far to the left", "H"),
    _key("crop.far_down", "Far down", "J"),
    _key("crop.far_up", "Far up", "K"),
    _key("crop.far_right", "Far to the right", "L"),
    _key("crop.tighter", "Tighter", "plus", "equals_sign"),
    _key("crop.wider", "Wider", "minus"),
    _key("crop.framing", "The next framing", "f"),
    _key("crop.reset", "Reset the crop to its framing", "r"),
    _key("crop.take", "Take it", "enter", "z"),
    _key("crop.leave", "Cancel", "escape", "q"),
)

JUDGING_FACES = ("faces.keep", "faces.reject", "faces.clear", "faces.undo", "faces.redo")
JUDGING_PICTURES = (
    "pictures.favourite",
    "pictures.reject",
    "pictures.more_stars",
    "pictures.fewer_stars",
    "pictures.undo",
    "pictures.redo",
)
OF_PARAMETERS = ("pictures.copy", "pictures.parameters")

ALSO: Mapping[Scope, tuple[str, ...]] = {
    Scope.COMPARE: (*JUDGING_FACES, *JUDGING_PICTURES),
    Scope.READING: OF_PARAMETERS,
}
"""Actions of the screens below whose keys hold in what lies over them, too: what is said of a face or a picture is said
by the same keys wherever it is seen."""
