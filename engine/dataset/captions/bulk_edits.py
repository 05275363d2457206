"""Work on the tags of the whole set: how often each comes, and changes that are looked at before they are made.

A tag is a part of a caption between commas. Nothing here writes: an ``Edit`` holds every caption before and after, and
``engine.dataset.captions.journal`` writes it as one action.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from engine.dataset.captions.cleanup_rules import Cleaner
from engine.dataset.captions.parts import joined, leads, led, parts_of
from engine.dataset.files.layout import TrainingImage
from engine.errors import DatasetError
from engine.settings import PersonSettings, Settings

Rewrite = Callable[[list[str]], list[str]]


@dataclass(frozen=True)
class TagCount:
    """One tag of the set."""

    tag: str
    images: int


@dataclass(frozen=True)
class Step:
    """What becomes of one caption."""

    image: str
    before: str
    after: str


@dataclass(frozen=True)
class Edit:
    """A change to captions that was not made yet."""

    label: str
    steps: tuple[Step, ...]

    @property
    def captions(self) -> dict[str, str]:
        """The images' file names to their new captions."""
        return {step.image: step.after for step in self.steps}


def tag_counts(images: Iterable[TrainingImage], person: PersonSettings) -> list[TagCount]:
    """How many images have each tag, the most frequent first; trigger and class word, which all have, are left out."""
    spelled: dict[str, str] = {}
    found: Counter[str] = Counter()
    for image in images:
        for tag in {part.casefold(): part for part in tags_of(image.caption, person)}.items():
            spelled.setdefault(*tag)
            found[tag[0]] += 1
    ordered = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    return [TagCount(spelled[tag], count) for tag, count in ordered]


def tags_of(caption: str, person: PersonSettings) -> list[str]:
    """A caption's parts after the trigger and the class word."""
    return parts_of(caption)[leads(person, caption) :]


def having(images: Iterable[TrainingImage], tag: str, person: PersonSettings) -> list[TrainingImage]:
    """The images whose captions have a tag; a leading ``-``: those that have it not."""
    wanted = tag.lstrip("-").strip().casefold()
    has = not tag.startswith("-")
    return [each for each in images if has == (wanted in _low(tags_of(each.caption, person)))]


def renamed(images: Sequence[TrainingImage], old: str, new: str, settings: Settings) -> Edit:
    """A tag by another name wherever it stands; where the new one is there already, they become one.

    Raises:
        DatasetError: no image has the tag, or the new name is invalid.
    """
    new = _checked(new, settings.person)
    _needed(images, [old], settings.person)

    def rewrite(tags: list[str]) -> list[str]:
        return _once(new if tag.casefold() == old.casefold() else tag for tag in tags)

    return _edit(f"rename {old} to {new}", images, rewrite, settings.person)


def removed(images: Sequence[TrainingImage], tags: Sequence[str], settings: Settings) -> Edit:
    """Tags taken out of every caption.

    Raises:
        DatasetError: no image has one of them, or it is the trigger or the class word.
    """
    for tag in tags:
        _checked(tag, settings.person)
    _needed(images, tags, settings.person)
    gone = set(_low(tags))
    label = f"remove {', '.join(tags)}"
    return _edit(label, images, lambda found: [tag for tag in found if tag.casefold() not in gone], settings.person)


def added(images: Sequence[TrainingImage], tag: str, settings: Settings, first: bool = False) -> Edit:
    """A tag put into every caption that lacks it, at its end or right after the class word.

    Raises:
        DatasetError: it is empty, holds a comma, or is the trigger or the class word.
    """
    tag = _checked(tag, settings.person)

    def rewrite(tags: list[str]) -> list[str]:
        if tag.casefold() in _low(tags):
            return tags
        return [tag, *tags] if first else [*tags, tag]

    return _edit(f"add {tag}", images, rewrite, settings.person)


def cleaned(images: Sequence[TrainingImage], settings: Settings) -> Edit:
    """The rules of cleaning used on captions that are there, and trigger and class word brought to the beginning."""
    cleaner = Cleaner(settings.captions)
    measured = {"close-up", "half body", "full body"}

    def rewrite(tags: list[str]) -> list[str]:
        kept = [[tag] if tag.casefold() in measured else cleaner.parts([tag]) for tag in tags]
        return _once(tag for some in kept for tag in some)

    return _edit("clean", images, rewrite, settings.person)


def _edit(label: str, images: Sequence[TrainingImage], rewrite: Rewrite, person: PersonSettings) -> Edit:
    """Only captions that become others are part of it; images without a caption stay without one."""
    steps: list[Step] = []
    for image in images:
        if not image.caption:
            continue
        tags = tags_of(image.caption, person)
        changed = rewrite(tags)
        if label == "clean":
            after = led(person, changed)
        else:
            lead = parts_of(image.caption)[: leads(person, image.caption)]
            after = image.caption if changed == tags else joined([*lead, *changed])
        # A caption that would be empty is one that trainers stop at: the person's words stay.
        after = after or led(person, ())
        if after != image.caption:
            steps.append(Step(image.path.name, image.caption, after))
    return Edit(label, tuple(steps))


def _checked(tag: str, person: PersonSettings) -> str:
    tag = " ".join(tag.split())
    if not tag:
        raise DatasetError("a tag can't be empty", "write one word or a few")
    if "," in tag:
        raise DatasetError(f"{tag} is more than one tag", "give one at a time, without commas")
    if tag.casefold() in (person.trigger.casefold(), person.class_word.casefold()):
        raise DatasetError(f"{tag} belongs to every caption", "change it with person.trigger or person.class_word")
    return tag


def _needed(images: Sequence[TrainingImage], tags: Sequence[str], person: PersonSettings) -> None:
    there = {tag for image in images for tag in _low(tags_of(image.caption, person))}
    for tag in tags:
        if tag.casefold() not in there:
            raise DatasetError(f"no caption has the tag {tag}", "list them with: limner captions tags")


def _once(tags: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for tag in tags:
        found.setdefault(tag.casefold(), tag)
    return list(found.values())


def _low(tags: Iterable[str]) -> list[str]:
    return [tag.casefold() for tag in tags]
