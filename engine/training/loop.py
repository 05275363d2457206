"""The training loop, from the first step to the last: read it from ``train`` down. Needs torch.

A step's randomness (noise, times, dropped captions) and an epoch's order come from the seed and their number alone, so
a run that was killed and resumed takes the very steps that it would have taken. What is around the loop is in
``trainer.py`` (checkpoints, samples, memory that runs out), what is inside of a pass in ``learner.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.training.data.epoch_order import learning_rate, step_seed
from engine.training.data.tensors import TrainingData
from engine.training.learner import Learner
from engine.training.step.memory_fallback import is_out_of_memory
from engine.training.step.randomness import StepRandomness, step_randomness
from engine.training.trainer import Trainer


def train(run: Trainer) -> None:
    """Takes the steps that are left, with a checkpoint after each epoch and wherever else one is due."""
    run.begin()
    while run.step < run.plan.steps:
        if run.processes.broadcast(run.told_to_stop):
            return
        if not take_step(run):
            continue
        run.after_step()
        if run.is_between_epochs and run.processes.broadcast(run.told_to_end_here):
            run.requests.stopping(f"after epoch {run.epoch}")
            break
    else:
        run.requests.done()
    run.writer.flush()


def take_step(run: Trainer) -> bool:
    """One step of a run. Where memory runs out, something is given up and False returned: the step is still to do.

    Raises:
        TrainingError: nothing is left to give up.
    """
    settings, learner, step, images = run.settings, run.learner, run.step + 1, run.images()
    randomness = step_randomness(settings, step, len(images), run.data.shape(images[0]), learner.noise.draw)
    rate = learning_rate(settings, step, run.plan.steps)
    if settings.dropout:
        # What the LoRA's dropout draws from, on every device.
        torch.manual_seed(step_seed(settings.seed, step))
    try:
        loss, norm = train_step(learner, run.data, images, randomness, rate)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        why = " ".join(str(error).split())[:200] or type(error).__name__
    else:
        run.step = step
        run.progress.add(step, run.epoch, len(images), rate, loss, norm)
        return True
    # Outside of the except clause: the error holds on to all that was computed until then.
    run.give_something_up(why)
    return False


def train_step(
    learner: Learner, data: TrainingData, images: Sequence[int], randomness: StepRandomness, rate: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Moves the LoRA once.

    Args:
        learner: the denoiser with its LoRA, and the optimizer.
        data: on the device.
        images: the step's, by number, all of one bucket.
        randomness: theirs.
        rate: the learning rate.

    Returns:
        The mean loss and the norm of the gradient, scalars on the device.
    """
    learner.set_rate(rate)
    weights, processes = learner.weights, learner.processes
    loss = torch.zeros((), device=learner.device.name)
    mine = processes.share(len(images))
    if not mine:
        weights.gradient.zero_()
    try:
        for begin in range(0, len(mine), learner.fitting.batch):
            places = mine[begin : begin + learner.fitting.batch]
            part = randomness.of(places).to(learner.device.name)
            batch = data.batch([images[each] for each in places], part.dropped, part.orders)
            # The step's loss is the mean over all of its images, however many passes they take.
            loss += learner.forward_backward(batch, part, len(places) / len(images))
            weights.accumulate(first=begin == 0, whole=len(places) == len(images))
    except Exception as error:
        if is_out_of_memory(error):
            # The other processes wait for this one's share.
            processes.all_reduce(weights.gradient, loss, failed=True)
        raise
    loss = processes.all_reduce(weights.gradient, loss, failed=False)
    norm = weights.clip(learner.settings.max_grad_norm)
    with learner.moving():
        learner.optimizer.step()
        weights.sync_compute_copy()
        if learner.ema is not None:
            learner.ema.update()
    return loss, norm
