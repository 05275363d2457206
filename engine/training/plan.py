"""What a run will do, by arithmetic alone: images × repeats × epochs, no hidden cap."""

from __future__ import annotations

import math

from engine import events
from engine.settings import TrainingSettings


def plan_for(settings: TrainingSettings, images: int) -> events.Plan:
    """The plan of a run over ``images`` training images.

    An epoch sees every image ``repeats`` times; its last batch may be smaller. Image-steps (steps × batch, here
    the images really seen) are what different batch sizes are compared by.
    """
    image_steps_per_epoch = images * settings.repeats
    steps_per_epoch = math.ceil(image_steps_per_epoch / settings.step_images)
    return events.Plan(
        images=images,
        repeats=settings.repeats,
        batch=settings.batch,
        steps_per_epoch=steps_per_epoch,
        epochs=settings.epochs,
        steps=steps_per_epoch * settings.epochs,
        image_steps=image_steps_per_epoch * settings.epochs,
    )


def formula(plan: events.Plan) -> str:
    """The plan as the formula a person checks: ``25 images × 10 repeats × 10 epochs = 2,500 image-steps``."""
    return f"{plan.images} images × {plan.repeats} repeats × {plan.epochs} epochs = {plan.image_steps:,} image-steps"
