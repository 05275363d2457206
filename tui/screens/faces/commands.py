"""What the Faces screen does beyond one key a face: jumps, crops, and bulk decisions, which show their number first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.counting import many
from engine.faces.photo.geometry import Cut, Framing
from engine.faces.records.decisions import Decision, Face
from tui.screens.faces.crop import CropScreen
from tui.screens.faces.dialogs import Chosen
from tui.screens.shared.ask_text import AskText
from tui.screens.shared.dialogs import Confirm

if TYPE_CHECKING:
    from engine.faces.selection.pick import Picked
    from tui.screens.faces.decisions import FaceDecisions
    from tui.screens.faces.view import FacesPanes


GROUPINGS = ("burst", "day", "framing", None)
"""What a key goes round; the filter line knows more (``group:year``)."""


def go_to_undecided(screen: FacesPanes, backwards: bool = False) -> None:
    """To the next face without a decision, or the one before; round the end."""
    items, at = screen.rows.items, screen.rows.cursor
    order = [*range(at + 1, len(items)), *range(min(at + 1, len(items)))]
    # Backwards the face under the cursor comes last, too.
    for index in [*order[-2::-1], *order[-1:]] if backwards else order:
        if items[index].decision is Decision.UNDECIDED and items[index].problem is None:
            screen.rows.cursor = index
            return
    screen.say("Every face here is decided.")


def next_grouping(line: str) -> str:
    """The filter line with the next grouping: none, by burst, by day, by framing, none again."""
    words = line.split()
    now = next((word.partition(":")[2].lower() for word in words if word.lower().startswith("group:")), None)
    after = GROUPINGS[(GROUPINGS.index(now) + 1) % len(GROUPINGS)] if now in GROUPINGS else GROUPINGS[0]
    kept = [word for word in words if not word.lower().startswith("group:")]
    return " ".join([*kept, f"group:{after}"] if after else kept)


def go_to_best(screen: FacesPanes) -> None:
    """To the best of the burst that the face under the cursor is one of."""
    face = screen.rows.item
    relations = face.measures.relations if face else None
    if relations is None or relations.burst is None:
        screen.say("This face is in no burst.")
        return
    for index, other in enumerate(screen.rows.items):
        of = other.measures.relations
        if of is not None and of.burst == relations.burst and of.burst_best:
            screen.rows.cursor = index
            return
    screen.say("The best of this burst is not among the faces shown.")


def next_framing(screen: FacesPanes, decisions: FaceDecisions) -> None:
    """Cuts the face under the cursor in the next framing: closer, or with more around it."""
    from engine.faces.framing import FRAMINGS, cut_of

    face = screen.rows.item
    if face is not None and not face.problem:
        now = cut_of(face).framing
        decisions.cut_as(face, Cut(FRAMINGS[(FRAMINGS.index(now) + 1) % 3] if now in FRAMINGS else Framing.CLOSE))


def crop_by_hand(screen: FacesPanes, decisions: FaceDecisions) -> None:
    """Opens the crop editor on the face under the cursor."""
    face = screen.rows.item
    if face is None or face.problem:
        return

    def done(cut: Cut | None) -> None:
        if cut is not None:
            decisions.cut_as(face, cut)

    screen.app.push_screen(CropScreen(face), done)


def decide_all(screen: FacesPanes, decisions: FaceDecisions, decision: Decision) -> None:
    """Decides on all faces shown, once their number was agreed to; what can't be used is never kept.
    Never while the filter is not understood: what is shown is then what an earlier one selected."""
    if screen.filter_error is not None:
        screen.say(f"{screen.filter_error.what}, so nothing is decided.")
        return
    faces = [face for face in screen.rows.items if face.decision is not decision]
    if decision is Decision.KEEP:
        faces = [face for face in faces if not face.problem]
    if not faces:
        screen.say("There is nothing to change.")
        return
    decided = sum(face.decision is not Decision.UNDECIDED for face in faces)
    taken_back = screen.keyed("One {faces.undo} undoes it.")
    detail = f"{many(decided, 'decision')} made before would be changed." if decided else taken_back

    def answered(yes: bool | None) -> None:
        ids = [face.id for face in faces]
        if yes and screen.try_show(lambda: decisions.ledger.decide(ids, decision)) is not None:
            decisions.show(ids)

    screen.app.push_screen(Confirm(f"{decision.value.capitalize()} {many(len(faces), 'face')}?", detail), answered)


def pick_faces(screen: FacesPanes, decisions: FaceDecisions, faces: list[Face], target: dict[Framing, int]) -> None:
    """Chooses in a thread, shows what and why, and keeps it once it was agreed to: one action, one undo."""

    def choose() -> list[Picked]:
        from engine.faces.selection.pick import pick

        return pick(faces, sum(target.values()), target)

    def picked(found: list[Picked]) -> None:
        new = [each for each in found if each.face.decision is Decision.UNDECIDED]
        if not new:
            screen.say("Nothing more to pick: enough are kept, or no other face can be used.")
            return

        def answered(yes: bool | None) -> None:
            from engine.faces.selection.pick import keep_picked

            if yes and screen.try_show(lambda: keep_picked(decisions.ledger, new)) is not None:
                decisions.show([each.face.id for each in new])
                screen.say(f"Picked {many(len(new), 'face')}. {{faces.undo}} undoes it.")

        screen.app.push_screen(Chosen(f"Keep these {many(len(new), 'face')}?", new), answered)

    screen.run_latest("pick", choose, picked)


def save_filter(screen: FacesPanes, decisions: FaceDecisions, line: str) -> None:
    """Asks for the name that a filter is saved under."""
    if not line:
        screen.say("There is no filter to save: press / to type one.")
        return

    def named(name: str | None) -> None:
        from engine.faces.selection.saved_filters import SavedFilters

        def save(name: str) -> dict[str, str]:
            saved = SavedFilters(decisions.store)
            saved.save(name, line)
            return saved.all()

        known = screen.try_show(lambda: save(name)) if name else None
        if known is not None:
            screen.saved = known
            screen.say(f"Saved: @{name}")

    screen.app.push_screen(AskText("Save the filter as", line), named)
