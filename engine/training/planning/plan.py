"""What a run will do, by arithmetic alone: images × repeats × epochs, no hidden cap."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from engine import events
from engine.counting import many
from engine.models.locate import find_base
from engine.models.registry import shape_of
from engine.project import Project
from engine.settings import Settings, TrainingSettings
from engine.training.data.epoch_order import epoch_counts
from engine.training.data.examples import read_examples
from engine.training.data.training_set import TrainingItem, TrainingSet, make_training_set


def plan_for(settings: TrainingSettings, images: int | Sequence[TrainingItem]) -> events.Plan:
    """The plan of a run.

    An epoch sees every image as often as its folder says, and as many regularisation images as images of the person,
    if there are any. Each bucket's last batch may be smaller. Image-steps (steps × batch, here the images really seen)
    are what different batch sizes are compared by.

    Args:
        settings: the training settings.
        images: what is known of each image; a number stands for so many square ones, each seen
            ``training.repeats`` times.
    """
    seen = [TrainingItem(repeats=settings.repeats)] * images if isinstance(images, int) else images
    counts = epoch_counts(seen)
    steps_per_epoch = sum(math.ceil(count / settings.step_images) for count in counts.values())
    trained = [each for each in seen if not each.regularisation and not each.held_out]
    person = sum(each.repeats for each in trained)
    sets = Counter(each.repeats for each in trained)
    return events.Plan(
        images=len(trained),
        repeats=next(iter(sets)) if len(sets) == 1 else settings.repeats,
        batch=settings.step_images,
        steps_per_epoch=steps_per_epoch,
        epochs=settings.epochs,
        steps=steps_per_epoch * settings.epochs,
        image_steps=sum(counts.values()) * settings.epochs,
        sets=[[number, repeats] for repeats, number in sorted(sets.items())] if len(sets) > 1 else None,
        regularisation=sum(counts.values()) - person,
        held_out=sum(each.held_out for each in seen),
        accumulation=settings.gradient_accumulation_steps,
    )


def training_set_of(project: Project, settings: Settings) -> TrainingSet:
    """The images that a run of this project with these settings sees.

    Raises:
        DatasetError: no images, an unreadable one, or one without a caption.
        BaseModelError: the base model is not there.
        TrainingError: a size that the base model can't do.
    """
    return make_training_set(read_examples(project), settings.training, shape_of(find_base(settings.base)))


def of_the_person(training_set: TrainingSet) -> int:
    """How many images show the person: what presets go by."""
    return sum(not each.regularisation for each in training_set.seen)


def formula(plan: events.Plan) -> str:
    """The plan as the formula a person checks: ``25 images × 10 repeats × 10 epochs = 2,500 image-steps``.

    Folders of other repeats, regularisation images (seen once for each image of the person) and images held out are
    told where there are any.
    """
    sets = plan.sets or [[plan.images, plan.repeats]]
    an_epoch = " + ".join(f"{_images(images)} × {repeats} repeats" for images, repeats in sets)
    if plan.regularisation:
        an_epoch += f" + {plan.regularisation:,} regularisation"
    if plan.sets or plan.regularisation:
        an_epoch = f"({an_epoch})"
    text = f"{an_epoch} × {many(plan.epochs, 'epoch')} = {plan.image_steps:,} image-steps"
    return f"{text}, {plan.held_out} held out" if plan.held_out else text


def _images(count: int) -> str:
    return many(count, "image")
