"""The crop of one face, nudged and resized by keys with the photo in view. The photo itself is never touched."""

from __future__ import annotations

from functools import partial

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from engine.faces.photo.geometry import Crop, Cut, Framing
from engine.faces.records.decisions import Face
from tui.actions import Scope
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.widgets.ink import Ink, Line, content_of, title_of
from tui.widgets.portrait import Portrait, Subject
from tui.widgets.thumbnails.face_pictures import crop_picture, whole_picture

NUDGE = 0.02
LEAP = 0.1
"""Shares of the crop's side that a key moves it by."""

RESIZE = 1.05

FRAMINGS = (Framing.CLOSE, Framing.HALF, Framing.FULL)

KEYS = (
    "{crop.left} {crop.down} {crop.up} {crop.right} move  {crop.far_left} {crop.far_down} {crop.far_up} "
    "{crop.far_right} far  {crop.tighter} {crop.wider} size  {crop.framing} framing  {crop.reset} reset  "
    "{crop.take} ok  {crop.leave} cancel"
)


class CropScreen(Overlay[Cut | None]):
    """The whole photo with the crop on it at the left, what is cut at the right. Closes with the cut, or None."""

    CSS_PATH = "compare.tcss"
    SCOPES = (Scope.CROP,)
    BINDINGS = overlay_bindings(Scope.CROP)

    def __init__(self, face: Face) -> None:
        super().__init__()
        from engine.faces.framing import cut_of

        self._face = face
        self._cut = cut_of(face)

    def compose(self) -> ComposeResult:
        """The photo, the crop, the keys."""
        with Horizontal():
            with Vertical(id="left", classes="pane") as pane:
                pane.border_title = title_of(self._face.file_name[-60:])
                yield Portrait(id="photo")
            with Vertical(id="right", classes="pane -here"):
                yield Portrait(id="crop")
                yield Static(classes="facts")
        yield Hints(KEYS, id="keys")

    def on_mount(self) -> None:
        """Shows the cut as it is."""
        self._show()

    def action_left(self) -> None:
        """Nudges the crop to the left, as far as the photo goes."""
        self._try(self._cut.moved(-NUDGE, 0))

    def action_right(self) -> None:
        """Nudges it to the right."""
        self._try(self._cut.moved(NUDGE, 0))

    def action_up(self) -> None:
        """Nudges it up."""
        self._try(self._cut.moved(0, -NUDGE))

    def action_down(self) -> None:
        """Nudges it down."""
        self._try(self._cut.moved(0, NUDGE))

    def action_far_left(self) -> None:
        """Far to the left."""
        self._try(self._cut.moved(-LEAP, 0))

    def action_far_right(self) -> None:
        """Far to the right."""
        self._try(self._cut.moved(LEAP, 0))

    def action_far_up(self) -> None:
        """Far up."""
        self._try(self._cut.moved(0, -LEAP))

    def action_far_down(self) -> None:
        """Far down."""
        self._try(self._cut.moved(0, LEAP))

    def action_tighter(self) -> None:
        """Makes it tighter."""
        self._try(self._cut.resized(RESIZE))

    def action_wider(self) -> None:
        """Makes it wider, as far as the photo goes."""
        self._try(self._cut.resized(1 / RESIZE))

    def action_framing(self) -> None:
        """The next framing, not nudged."""
        now = self._cut.framing
        self._cut = Cut(FRAMINGS[(FRAMINGS.index(now) + 1) % 3] if now in FRAMINGS else Framing.CLOSE)
        self._show()

    def action_reset(self) -> None:
        """Reset the crop to its framing."""
        self._cut = Cut(self._cut.framing)
        self._show()

    def action_take(self) -> None:
        """Closes with the cut."""
        self.dismiss(self._cut)

    def action_leave(self) -> None:
        """Closes; nothing changes."""
        self.dismiss(None)

    def _try(self, cut: Cut) -> None:
        """Takes a cut that changes something: past the photo's edge nothing moves any more."""
        if self._crop(cut) != self._crop(self._cut):
            self._cut = cut
            self._show()

    def _crop(self, cut: Cut) -> Crop | None:
        from engine.faces.crop import crop_of

        return crop_of(self._face, cut)

    def _show(self) -> None:
        face, cut, crop = self._face, self._cut, self._crop(self._cut)
        self.query_one("#photo", Portrait).show(Subject((face.id, cut, "photo"), partial(whole_picture, face, cut)))
        self.query_one("#crop", Portrait).show(Subject((face.id, cut, "crop"), partial(crop_picture, face, cut)))
        self.query_one("#right").border_title = f"{cut.framing}{', by hand' if cut.by_hand else ''}"
        self.query_one(".facts", Static).update(content_of(*crop_facts(face, crop)))


def crop_facts(face: Face, crop: Crop | None) -> list[Line]:
    """Real pixels against 1024, how large the face is in the crop, and who else is in it."""
    from engine.faces.framing import SIDE, others_inside

    if crop is None:
        return [[("it can't be cut", Ink.ATTENTION)]]
    small = crop.side < SIDE
    told = f"↑ {crop.side:,} of {SIDE:,} px, enlarged" if small else f"✓ {crop.side:,} px, {SIDE:,} are needed"
    share = face.box.clamped().h * (face.image_height or 0) / crop.side
    others = others_inside(face, crop)
    beside: Line = [("unknown whether others are in it" if others is None else "no other face in it", Ink.MUTED)]
    if others:
        beside = [(f"{others} more in it", Ink.ATTENTION)]
    return [[(told, Ink.ATTENTION if small else Ink.GOOD)], [(f"the face is {share:.0%} of it", Ink.PLAIN)], beside]
