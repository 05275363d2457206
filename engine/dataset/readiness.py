"""What is still missing before training: captions, the trigger word, the mix; and what is doubtful."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.dataset.captions.bulk_edits import tags_of
from engine.dataset.captions.parts import leads
from engine.dataset.files.layout import TrainingImage
from engine.dataset.files.manifest import Manifest
from engine.settings import Settings

FRAMINGS = ("close", "half", "full")


@dataclass(frozen=True)
class TokenCount:
    """How long captions may be."""

    of: Callable[[str], int]
    """Tokens of a text, by the base model's own tokenizer."""
    most: int
    """Tokens that a run sees of a caption, its trigger word's included: 75 where CLIP reads them."""


@dataclass(frozen=True)
class Finding:
    """One thing that is missing or doubtful."""

    words: str
    """``no caption``, ``more than 75 tokens``."""
    images: tuple[str, ...] = ()
    """The images' names without their suffix; none: it is about the whole set."""
    stops: bool = False
    """Whether training can't begin with it."""

    @property
    def line(self) -> str:
        """``no caption: 0003, 0007 and 4 more``."""
        if not self.images:
            return self.words
        more = f" and {len(self.images) - 4} more" if len(self.images) > 4 else ""
        return f"{self.words}: {', '.join(self.images[:4])}{more}"


def findings(
    images: Sequence[TrainingImage], manifest: Manifest, settings: Settings, count: TokenCount | None = None
) -> list[Finding]:
    """What is missing or doubtful, the worst first; nothing where all is well.

    Args:
        images: the dataset's.
        manifest: which framing each was cut in.
        settings: the person's words, and the mix that is wanted.
        count: how many tokens a caption takes and may take; None: not told.
    """
    if not images:
        return [Finding("no images", stops=True)]
    found = caption_findings(images, settings, count)
    found.append(Finding("only the person's words", _names(images, lambda each: _bare(each, settings))))
    found += [Finding("the same caption", same) for same in _alike(images, settings)]
    found.append(Finding("fewer than 1024 px in the photo", _names(images, lambda each: each.upscaled)))
    return [*(each for each in found if each.images), *_balance(manifest, settings)]


def caption_findings(
    images: Sequence[TrainingImage], settings: Settings, count: TokenCount | None = None
) -> list[Finding]:
    """What is wrong with captions whatever learns from them: none, the trigger word not first or not once, too long.

    Args:
        images: the dataset's.
        settings: the person's words.
        count: how many tokens a caption takes and may take; None: not told.
    """
    person = settings.person
    found = [
        Finding("no caption", _names(images, lambda each: not each.caption), stops=True),
        Finding(
            f"{person.trigger} missing",
            _names(images, lambda each: bool(each.caption) and not _has(each, person.trigger)),
        ),
        Finding(
            f"{person.trigger} not first",
            _names(images, lambda each: _has(each, person.trigger) and not leads(person, each.caption)),
        ),
        Finding(f"{person.class_word} missing", _names(images, lambda each: _bare_of_class(each, person.class_word))),
        Finding(f"{person.trigger} twice", _names(images, lambda each: _words(each).count(person.trigger) > 1)),
    ]
    if count is not None:
        long = _names(images, lambda each: count.of(each.caption) > count.most)
        found.append(Finding(f"more than {count.most} tokens", long))
    return [each for each in found if each.images]


def _balance(manifest: Manifest, settings: Settings) -> list[Finding]:
    """Which framings are short of the mix that is wanted, told only for sets that are as large as it."""
    wanted = {name: getattr(settings.faces, name) for name in FRAMINGS}
    if len(manifest.entries) < 3:
        return []
    there = {name: sum(entry.framing == name for entry in manifest.entries) for name in FRAMINGS}
    short = [f"{name} {there[name]} of {wanted[name]}" for name in FRAMINGS if there[name] * 2 < wanted[name]]
    return [Finding(f"the mix lacks {', '.join(short)}")] if short else []


def _alike(images: Sequence[TrainingImage], settings: Settings) -> list[tuple[str, ...]]:
    """Images that share a caption which says more than the person's words."""
    by_caption: dict[str, list[str]] = defaultdict(list)
    for image in images:
        if image.caption and tags_of(image.caption, settings.person):
            by_caption[image.caption.casefold()].append(image.path.stem)
    return [tuple(names) for names in by_caption.values() if len(names) > 1]


def _bare(image: TrainingImage, settings: Settings) -> bool:
    return bool(image.caption) and not tags_of(image.caption, settings.person)


def _bare_of_class(image: TrainingImage, class_word: str) -> bool:
    found = re.search(rf"(?<!\w){re.escape(class_word)}(?!\w)", image.caption, re.IGNORECASE)
    return bool(image.caption) and found is None


def _has(image: TrainingImage, trigger: str) -> bool:
    return trigger in _words(image)


def _words(image: TrainingImage) -> list[str]:
    return image.caption.replace(",", " ").split()


def _names(images: Sequence[TrainingImage], wrong: Callable[[TrainingImage], bool]) -> tuple[str, ...]:
    return tuple(each.path.stem for each in images if wrong(each))
