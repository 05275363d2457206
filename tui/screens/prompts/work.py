"""What the Prompts screen has done in threads: reading and writing the shelf, varying, ordering pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import PromptError
from engine.prompts.axis_variation import Variation, parts_of
from engine.prompts.breakdown import Breakdown
from engine.prompts.grammar import distance, escape, fill, plain, tidy
from engine.prompts.shared_prompts import SharedPrompt, shared_prompts, starter_prompts
from engine.prompts.store import Mark, Prompt, PromptStore
from engine.prompts.to_paint import names_a_lora, read_prompt
from engine.prompts.word_variation import vary_by_words
from tui.screens.prompts.text import Choice, PromptParams, Variant

if TYPE_CHECKING:
    from engine.llm.server import ModelServer
    from engine.models.usual_settings import Kind
    from engine.pictures.orders.queue import PictureOrder
    from engine.project import Project
    from engine.prompts.llm.variations import Progress
    from engine.prompts.tokenizer import Words
    from engine.settings import PersonSettings

VARIATIONS = 12
"""How many variations one V makes."""


@dataclass(frozen=True)
class PromptDraft:
    """What lies on the screen: a prompt, what it must not be, and what came from it."""

    parent: str
    negative: str
    variants: tuple[Variant, ...]
    note: str = ""


Wrote = tuple[str, str]
"""What stands in the two fields: what is to be seen, and what is not."""


@dataclass(frozen=True)
class Surroundings:
    """What a prompt is read against."""

    person: PersonSettings
    steps: int
    guidance: float
    kind: Kind
    """Of the base model that paints."""
    words: Words | None
    loras: frozenset[str]
    checkpoint: Path | None


def look_around(project: Project) -> Surroundings:
    """The person, the base model and its tokenizer, the LoRAs that a prompt may name, the one that paints."""
    from engine.errors import BaseModelError
    from engine.models.locate import find_base
    from engine.models.usual_settings import kind_of, painting_of
    from engine.pictures.orders.orders import newest_lora
    from engine.pictures.orders.prompt_loras import known_loras
    from engine.prompts.tokenizer import find_words

    settings = project.settings
    try:
        words = find_words(find_base(settings.base.for_painting))
    except BaseModelError:
        words = None
    loras = frozenset(known_loras(project))
    painting, kind = painting_of(settings), kind_of(settings.base.for_painting)
    return Surroundings(
        settings.person, painting.steps, painting.guidance_scale, kind, words, loras, newest_lora(project)
    )


def broken_down(draft: PromptDraft, around: Surroundings | None) -> Breakdown | PromptError | None:
    """A prompt taken apart as it is typed; of choices the first ones. What means nothing to the base model is
    told, of the negative prompt as well."""
    from engine.models.usual_settings import guidance_remarks

    if around is None:
        return None
    try:
        fill(draft.parent, around.person)
    except PromptError as error:
        return error
    found = read_prompt(draft.parent, around.person, around.steps, None, around.words, around.loras, around.kind.family)
    return replace(found, besides=tuple(guidance_remarks(around.kind, around.guidance, [draft.negative])))


def parts_that_may_vary(prompt: str, person: PersonSettings) -> list[str]:
    """The parts of a prompt but the first, which names the person and always stays.

    Raises:
        PromptError: the prompt can't be read.
    """
    return list(dict.fromkeys(map(tidy, parts_of(plain(fill(prompt, person)))[1:])))


def parts_locked(prompt: str, person: PersonSettings, choice: Choice) -> list[str]:
    """Those of its parts that stay. Raises PromptError."""
    return [part for part in parts_that_may_vary(prompt, person) if part in choice.locked]


def left_off(project: Project, wrote: Wrote | None = None) -> PromptDraft:
    """Where the last session left off: what was written last, else what was varied, else the style of the settings."""
    style = project.settings.painting.style, project.settings.painting.negative
    found = wrote or _varied_last(project) or style
    try:
        return laid_out(project, *found)
    except PromptError:
        # Half written, say: it is told where it is taken apart.
        return PromptDraft(*found, ())


def _varied_last(project: Project) -> Wrote | None:
    """With its choices and slots, as it was written."""
    with project.store() as store:
        shelf = PromptStore(store)
        newest = shelf.latest_variation()
        if newest is None:
            return None
        parent = shelf.ancestors(newest.id)[0]
    return str(newest.made_by.get("template") or parent.text), parent.negative


def laid_out(project: Project, prompt: str, negative: str) -> PromptDraft:
    """A prompt, and what came from it before but the dropped ones."""
    text = plain(fill(prompt, project.settings.person))
    with project.store() as store:
        shelf = PromptStore(store)
        found = [each for each in shelf.find(text, negative) if each.text]
        below = shelf.children(found[0].id) if found else []
    variants = [_variant(each, text) for each in below if each.mark is not Mark.DROPPED]
    return PromptDraft(prompt, negative, (Variant(text, id=found[0].id if found else None), *variants) if text else ())


def varied(
    project: Project,
    draft: PromptDraft,
    choice: Choice,
    seed: int,
    server: ModelServer | None,
    tell: Callable[[Progress], None],
) -> PromptDraft:
    """The desk with new variations, on the shelf already; what was kept stays.

    Raises:
        PromptError: the prompt can't be read, or the model's server did not do its part.
        Cancelled: the server was told to cancel.
    """
    person = project.settings.person
    template = fill(draft.parent, person)
    parent = plain(template)
    note = ""
    about: dict[str, object] = {"seed": seed, "size": choice.size.value, "axes": sorted(choice.axes)}
    stay = tuple(parts_locked(draft.parent, person, choice))
    about |= {"locked": list(stay), "template": draft.parent}
    with project.store() as store:
        shelf = PromptStore(store)
        known = shelf.texts()
        root = shelf.add(parent, draft.negative)

        def keep(found: Sequence[Variation]) -> list[Prompt]:
            return shelf.add_variations(root, [(each.text, {**about, **each.about()}) for each in found])

        if server is not None and choice.model:
            from engine.prompts.llm import request as asking
            from engine.prompts.llm.variations import made_by, vary_by_model

            wish = asking.VariationRequest(
                parent,
                person,
                VARIATIONS,
                seed,
                tuple(sorted(choice.axes)),
                choice.size,
                stay,
                examples=tuple(shelf.best()),
                stored=tuple(known),
            )
            about = {**made_by(choice.model, wish, server), "template": draft.parent}

            def came(progress: Progress) -> None:
                if progress.variation is not None:
                    keep([progress.variation])
                tell(progress)

            outcome = vary_by_model(server, choice.model, wish, came)
            found, note = outcome.variations, " · ".join([outcome.summary(), *dict.fromkeys(outcome.notes)])
        else:
            had = [*known, parent]
            found = vary_by_words(template, VARIATIONS, seed, sorted(choice.axes), choice.size, stay, had)
        made = keep(found)
        kept = [each for each in shelf.children(root.id) if each.mark is Mark.KEPT]
    if not found:
        note = f"no more variations: choose another axis or size{', or unlock a part' if stay else ''}"
    return replace(draft, variants=tuple(_variant(each, parent) for each in [*kept, *made]), note=note)


def marked(project: Project, variant: Variant, negative: str, mark: Mark) -> Variant:
    """Says something about a variation, on disk before it returns."""
    with project.store() as store:
        shelf = PromptStore(store)
        number = variant.id if variant.id is not None else shelf.add(variant.text, negative).id
        shelf.mark(number, mark)
    return replace(variant, id=number, mark=mark)


def rewritten(project: Project, variant: Variant, text: str, negative: str) -> Variant:
    """A variation as a person wrote it anew, kept; the old one is dropped.

    Raises:
        PromptError: it is empty or can't be read.
    """
    text = plain(text)
    with project.store() as store:
        shelf = PromptStore(store)
        parent = shelf.add(variant.parent, negative).id if variant.parent else None
        new = shelf.add(text, negative, parent, made_by={"engine": "person", "from": variant.text})
        shelf.mark(new.id, Mark.KEPT)
        if variant.id is not None and variant.id != new.id:
            shelf.mark(variant.id, Mark.DROPPED)
    return Variant(text, variant.parent, Mark.KEPT, new.id, distance(variant.parent, text) if variant.parent else None)


def families(project: Project) -> list[tuple[int, Prompt]]:
    """Variation tree."""
    with project.store() as store:
        return PromptStore(store).families()


def library_of(project: Project) -> list[SharedPrompt]:
    """The project's prompts, the user's own, those that Limner comes with; each lot the best first.

    Raises:
        PromptError: the user's own file is broken.
    """
    with project.store() as store:
        own = [
            SharedPrompt(each.text, each.negative, each.name or "this project", each.tags, round(each.stars))
            for each in PromptStore(store).prompts()
        ]
    shared = sorted(shared_prompts(), key=lambda each: -each.rating)
    return list(dict.fromkeys([*own, *shared, *starter_prompts()]))


def orders_for(
    project: Project, variants: Sequence[Variant], negative: str, params: PromptParams
) -> list[PictureOrder]:
    """Orders for some prompts, each with as many new seeds as the parameters say; the prompts go on the shelf."""
    from engine.pictures.orders.orders import order_for

    orders: list[PictureOrder] = []
    with project.store() as store:
        shelf = PromptStore(store)
        for variant in variants:
            parent = shelf.add(variant.parent, negative).id if variant.parent else None
            kept = shelf.add(variant.text, negative, parent)
            for _ in range(params.seeds):
                lora = None if names_a_lora(kept.text) else params.checkpoint
                order = order_for(project, escape(kept.text), lora=lora, strength=params.strength)
                orders.append(replace(order, negative=negative, prompt_id=kept.id))
    return orders


def _parts(text: str) -> set[str]:
    return set(map(tidy, parts_of(text)))


def _variant(prompt: Prompt, parent: str) -> Variant:
    return Variant(prompt.text, parent, prompt.mark, prompt.id, distance(parent, prompt.text))
