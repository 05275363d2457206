"""What lies over a screen: questions, lists to choose from, switches, what is read, leaving."""

from __future__ import annotations

from collections.abc import Mapping

from tui.actions.action import Action, Scope


def _key(id_: str, description: str, *keys: str) -> Action:
    """An action of something that lies over a screen: the palette can't reach it."""
    return Action(id_, description, keys, palette=False)


OVERLAYS: tuple[Action, ...] = (
    _key("answer.yes", "Yes", "y", "enter"),
    _key("answer.no", "No, leave it", "n", "escape", "q"),
    _key("choice.take", "Take what is under the cursor, or what was typed", "enter"),
    _key("choice.leave", "Leave it", "escape", "q"),
    _key("choice.turn", "To the other list, the other field, the other way", "tab", "shift+tab"),
    _key("picker.add", "Add it to the prompt, beside other LoRAs", "space"),
    _key("captioner.overwrite", "Also over the captions that are there, or not", "o"),
    _key("switches.switch", "Switch it on or off", "space", "enter"),
    _key("switches.leave", "Close", "escape", "q"),
    _key("reading.down", "Down a line", "j", "down"),
    _key("reading.up", "Up a line", "k", "up"),
    _key("reading.page_down", "A page down", "ctrl+d", "pagedown", "space"),
    _key("reading.page_up", "A page up", "ctrl+u", "pageup"),
    _key("reading.top", "To the beginning", "g", "home"),
    _key("reading.bottom", "To the end", "G", "end"),
    _key("reading.close", "Close", "q", "escape", "enter"),
    _key("help.doctor", "To the doctor", "d"),
    _key("doctor.look", "Look again", "r"),
    _key("leaving.take", "Take what is under the cursor", "enter"),
    _key("leaving.running", "Leave the run running", "r"),
    _key("leaving.after_epoch", "Stop the run after this epoch", "e"),
    _key("leaving.now", "Stop the run now", "s"),
    _key("leaving.stay", "Stay", "q", "escape", "n", "backspace"),
    _key("settings.edit", "Edit the setting, or its next choice", "enter", "i"),
    _key("settings.next_choice", "Its next choice", "l", "right"),
    _key("settings.previous_choice", "The choice before", "h", "left"),
    _key("settings.reset", "Take it out of the file: back to what it comes as", "x", "backspace"),
    _key("settings.next_section", "To the next section", "tab"),
    _key("settings.previous_section", "To the section before", "shift+tab"),
    _key("settings.filter", "Only the settings with some words in name or meaning", "slash"),
    _key("settings.leave", "Close", "escape", "q"),
    _key("large.next", "The next one", "j", "down", "right", "l", "space"),
    _key("large.previous", "The one before", "k", "up", "left", "h"),
    _key("large.top", "The first one", "g", "home"),
    _key("large.bottom", "The last one", "G", "end"),
    _key("large.close", "Back to the list", "escape", "q", "v", "enter"),
    _key("compare.left", "To the side at the left", "h", "left"),
    _key("compare.right", "To the side at the right", "l", "right"),
    _key("compare.down", "To the side below; where there is none, as the next one", "j", "down"),
    _key("compare.up", "To the side above; where there is none, as the one before", "k", "up"),
    _key("compare.other", "To the next side, round the end", "tab"),
    _key("compare.other_back", "To the side before", "shift+tab"),
    _key("compare.next", "The next one on this side", "n"),
    _key("compare.previous", "The one before on this side", "p"),
    _key("compare.choose", "Keep it, or make it a favourite, and reject what is beside it", "Y"),
    _key("compare.two", "Two pictures", "2"),
    _key("compare.four", "Four pictures", "4"),
    _key("compare.leave", "Back to where it was", "escape", "q", "v", "enter"),
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
    _key("crop.reset", "As the framing alone would be cut", "r"),
    _key("crop.take", "Take it", "enter", "z"),
    _key("crop.leave", "Leave it as it was", "escape", "q"),
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
