"""One run around its loop (``loop.py``): its plan and place, its checkpoints and samples, what it gives up where memory
runs out. ``loading.py`` brings what it needs. Needs torch."""

from __future__ import annotations

import gc
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import torch

from engine import events
from engine.counting import many
from engine.errors import TrainingError
from engine.jobs.worker import Context
from engine.lora.metadata import LoraFacts
from engine.models.device import Device
from engine.models.registry import family_named
from engine.settings import Optimizer
from engine.training.data.epoch_order import epoch_batches
from engine.training.data.tensors import TrainingData
from engine.training.encoding import encode_smaller
from engine.training.evaluation import Evaluator, sample_path
from engine.training.init_lora import InitResult
from engine.training.learner import Learner
from engine.training.loading import Loaded
from engine.training.planning.benchmark_store import Costs, Setting, device_name, of_this_machine
from engine.training.planning.benchmarks import entries_one_by_one, remember_run, setting_in
from engine.training.planning.budget import why_stop
from engine.training.planning.cadence import Cadence, reckoned
from engine.training.planning.eta import Pace
from engine.training.planning.gpus import card_here
from engine.training.planning.plan import plan_for
from engine.training.planning.timing import best_timing, modelled
from engine.training.runs.checkpoints import CheckpointWriter, RetentionPolicy
from engine.training.runs.control import Requests
from engine.training.runs.earlier_processes import told_before
from engine.training.runs.progress import Progress
from engine.training.runs.resume_state import TrainingPosition, read_state
from engine.training.runs.start import file_stem
from engine.training.runs.training_history import history, kept_words, started_at
from engine.training.step.distributed import SingleProcess
from engine.training.step.memory_fallback import fitting_for, is_out_of_memory, next_fallback
from engine.training.step.optimizers import works

PRODIGY_RATE = 0.1
"""A learning rate below this was not meant for Prodigy, which multiplies it with what it finds."""


class Trainer:
    """One run: what learns, what it sees, and the place in the plan."""

    def __init__(self, context: Context, loaded: Loaded, processes: SingleProcess | None = None) -> None:
        self.processes = processes or SingleProcess()
        model, data, device, renderer = loaded.model, loaded.data, loaded.device, loaded.renderer
        self.context, self.settings, self.base, self.device = context, loaded.settings.training, loaded.base, device
        self.resolution, self.trigger = loaded.resolution, loaded.settings.person.trigger
        self.stem = file_stem(self.trigger)
        self.shape, self.scale, self.family = model.shape, loaded.scale, family_named(model.shape.family)
        self.plan = plan_for(self.settings, data.seen)
        kept = read_state(context.folder.path / "state")
        place = kept[0] if kept else TrainingPosition()
        self.data = data.to(device.name, device.dtype)
        fitting = place.fitting or fitting_for(self.settings, self.resolution, device.total_gb)
        self.learner = Learner(model, self.settings, fitting, device, self.processes, context.emit)
        if kept:
            self.learner.load_state(kept[1])
        elif self.settings.network_weights:
            self._tell_of_start(self.settings.network_weights, self.learner.start_from(self.settings.network_weights))
        if self.settings.optimizer is Optimizer.PRODIGY and self.settings.learning_rate < PRODIGY_RATE:
            context.emit(events.Warning("Prodigy finds its own learning rate: set training.learning_rate to 1"))
        self.step = place.step
        self.cadence = Cadence.of(self.settings, self.plan, len(renderer.prompts) if renderer is not None else 0)
        self.before = told_before(entries_one_by_one(context.folder), place.step if kept else None)
        self.progress = self._measures(place)
        self.requests = Requests(context)
        kept_checkpoints = RetentionPolicy(self.settings.keep_checkpoints, self.settings.keep_epochs)
        self.writer = CheckpointWriter(context.folder.path, context.emit, kept_checkpoints, model.layers_per_block)
        self.evaluator = Evaluator(self.learner, device, self.progress, self.writer, context.emit, renderer)

    def _measures(self, place: TrainingPosition) -> Progress:
        """What follows the pace, and knows how long usually takes what was not done yet."""
        card = card_here() if self.device.on_gpu else None
        known = best_timing(self.setting, card, (), of_this_machine()).costs
        spent = place.spent_seconds + self.before.unsaved_seconds

        def usual(seconds_per_step: float) -> Costs:
            return reckoned(known, self.setting, seconds_per_step)

        pace = Pace(self.plan, self.settings.price_per_hour, spent, self.cadence, usual)
        usual_seconds = modelled(self.setting, card).seconds_per_step
        return Progress(self.context, self.device, pace, place.epoch_loss, place.epoch_seconds, usual_seconds)

    def begin(self) -> None:
        """Tells the plan, and keeps a state to go back to."""
        self.context.emit(self.plan)
        self.progress.pace.add_other(time.monotonic() - self.context.began)
        if self.step == 0:
            for words in self.context.args.get("remarks", ()):
                self.context.emit(events.Warning(words))
            for choice in self.context.args.get("choices", ()):
                self.context.emit(events.Fit(choice["what"], choice["why"]))
            self._keep_state()
        # Encoding is over: what it took is no step's memory.
        self.device.forget_peak()
        self.progress.restart_clock()
        self._paint_what_is_owed()

    def after_step(self) -> None:
        """What is due after a step: the end of an epoch, a checkpoint, samples."""
        if self.cadence.ends_epoch(self.step):
            self._end_epoch()
        elif self.cadence.keeps(self.step):
            self.keep_checkpoint(self._checkpoint_name or self.stem)
        if self.cadence.paints(self.step) or self.requests.to_sample():
            self._paint_samples()

    @property
    def setting(self) -> Setting:
        """What a step is like now, as its pace depends on it."""
        device = device_name(card_here() if self.device.on_gpu else None)
        dtype = str(self.device.dtype).removeprefix("torch.")
        return setting_in(self.settings, self.learner.fitting, self.shape, device, dtype, self.learner.graphed)

    @property
    def epoch(self) -> int:
        """The epoch of the last step that was taken, from 1."""
        return max(1, -(-self.step // self.plan.steps_per_epoch))

    def images(self) -> list[int]:
        """What the next step sees."""
        epoch, place = divmod(self.step, self.plan.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            images = self.settings.step_images
            self._order = epoch, epoch_batches(self.data.seen, images, self.settings.seed, epoch + 1)
        return self._order[1][place]

    _order: tuple[int, list[list[int]]] | None = None

    def give_something_up(self, why: str) -> None:
        """Goes one rung down the ladder, from the last good step. Raises TrainingError at its end."""
        self.learner.zero_grad()
        gc.collect()
        self.device.free()
        self.progress.read()
        if not self.learner.consistent:
            self._go_back()
        before = self.learner.fitting
        after, changed = next_fallback(
            before, self.resolution, self.shape.grain, lambda kind: works(kind, self.device.name)
        )
        self.context.emit(events.Fit(changed, f"out of memory at step {self.step + 1}: {why}"))
        if after.resolution != before.resolution:
            self.data = self._encode_smaller(after.resolution).to(self.device.name, self.device.dtype)
        self.learner.refit(after)
        self.device.forget_peak()
        self._keep_state()
        self.progress.pace.forget_steps()
        self.progress.restart_clock()

    def _encode_smaller(self, resolution: int) -> TrainingData:
        """The dataset at a lower resolution; on the CPU where the card has no room for it besides the U-Net."""
        images = len(self.data)
        try:
            return encode_smaller(self.context, self.base, resolution, self.device, images)
        except Exception as error:
            if not is_out_of_memory(error) or not self.device.on_gpu:
                raise
        gc.collect()
        self.device.free()
        return encode_smaller(self.context, self.base, resolution, Device("cpu", torch.float32), images)

    def _go_back(self) -> None:
        """To the state on disk: memory ran out while the optimizer moved the weights."""
        self.writer.flush()
        kept = self.processes.main_process_first(lambda: read_state(self.context.folder.path / "state"))
        if kept is None:
            raise TrainingError("the run's state is missing from its folder", "start a new run")
        place, memory = kept
        self.learner.load_state(memory)
        self.step = place.step
        self.progress.go_back(place.epoch_loss, place.epoch_seconds)

    def _end_epoch(self) -> None:
        self.progress.read()
        validation = self.evaluator.validate(self.data) if self.processes.is_main_process else None
        loss, seconds = self.progress.epoch_loss / self.plan.steps_per_epoch, self.progress.epoch_seconds
        self.progress.begin_epoch()
        self.keep_checkpoint(self._checkpoint_name or self.stem, events.Epoch(self.epoch, loss, validation, seconds))
        if self.processes.is_main_process:
            remember_run(self.context.folder, self.setting, self.progress.pace, self.device.memory_gb())

    @property
    def is_between_epochs(self) -> bool:
        """Whether the last step ended an epoch, and another one comes."""
        return self.cadence.ends_epoch(self.step) and self.step < self.plan.steps

    def told_to_end_here(self) -> bool:
        """Whether the run is to end after this epoch: somebody asked, or the next would pass the budget."""
        return self.requests.to_stop_after_epoch() or self._over_budget()

    def _over_budget(self) -> bool:
        """Whether the next epoch would pass what the run may cost; then that is told."""
        pace = self.progress.pace
        next_epoch = pace.next_epoch_seconds(self.step)
        why = why_stop(self.settings, pace.spent_seconds, next_epoch) if next_epoch is not None else None
        if why:
            self.context.emit(events.Warning(f"stopped after epoch {self.epoch}: {why}"))
            self.context.reason = f"stopped by its budget: {why}"
        return bool(why)

    def keep_checkpoint(self, name: str, epoch: events.Epoch | None = None) -> None:
        """A checkpoint and the state that goes with it, and in between what is to be told of the epoch it ends."""
        self.progress.read()
        if not self.processes.is_main_process:
            return
        began = time.monotonic()
        facts = LoraFacts(
            name=name,
            rank=self.settings.rank,
            alpha=self.settings.effective_alpha,
            trigger=self.trigger,
            resolution=self.learner.fitting.resolution,
            prediction_type=self.learner.noise.prediction,
            epoch=self.epoch,
            epochs=self.plan.epochs,
            steps=self.step,
            base_title=self.base.title,
            base_version=self.family.base_version,
            architecture=self.family.architecture,
            prefix=self.family.lora_prefix,
            factor=self.settings.lokr_factor,
            started_at=started_at(self.context.folder.path / "run.toml"),
            history=self._history(),
        )
        self.writer.checkpoint(name, self.learner.lora(), facts)
        if epoch is not None:
            self.writer.tell(replace(epoch, seconds=epoch.seconds + time.monotonic() - began))
        # Last: a run killed before it does these steps again and writes and tells the same.
        self._keep_state()
        seconds = time.monotonic() - began
        self.progress.checkpoint_written(seconds)
        if epoch is None:
            self.progress.epoch_seconds += seconds

    def _history(self) -> dict[str, object]:
        """How the LoRA was trained, and the words that its file is to carry."""
        half = self.device.dtype is torch.bfloat16
        told = history(self.settings, self.plan, self.learner.fitting, half, self.data.buckets(self.scale))
        return {**told, **kept_words(self.context.folder.path / "state")}

    def _keep_state(self) -> None:
        if not self.processes.is_main_process:
            return
        place = TrainingPosition(
            self.step,
            self.progress.epoch_loss,
            self.progress.epoch_seconds,
            self.progress.pace.spent_seconds,
            self.learner.fitting,
        )
        self.writer.state(place, self.learner.state_dict())

    def _paint_samples(self, painted: Collection[int] = ()) -> None:
        """Paints the run's prompts, those left out that have their picture already."""
        if self.processes.is_main_process:
            seconds = self.evaluator.paint(self._sample_name, self.epoch, painted, self._checkpoint_name)
            if not self.cadence.ends_epoch(self.step):
                self.progress.epoch_seconds += seconds

    def _paint_what_is_owed(self) -> None:
        """The pictures of the step that the state was kept at, where a process was killed before they were painted."""
        if not (self.processes.is_main_process and self.step and self.cadence.paints(self.step)):
            return
        there = [
            number
            for number in range(1, self.cadence.prompts + 1)
            if sample_path(self._sample_name, number) in self.before.painted
        ]
        if len(there) < self.cadence.prompts:
            self._paint_samples(there)

    @property
    def _checkpoint_name(self) -> str | None:
        """The checkpoint of this step; None where none is kept."""
        if self.step == self.plan.steps:
            return self.stem
        if self.cadence.ends_epoch(self.step):
            return f"{self.stem}-{self.epoch:06d}"
        return f"{self.stem}-step{self.step:08d}" if self.cadence.keeps(self.step) else None

    @property
    def _sample_name(self) -> str:
        return f"{self.stem}-{self.epoch:06d}-{self.step:08d}"

    def _tell_of_start(self, path: Path, begun: InitResult) -> None:
        if begun.left_out:
            what = f"{many(len(begun.left_out), 'module')} of {path.name} not trained here: left out"
            self.context.emit(events.Warning(what, begun.left_out[0]))
        if begun.fresh:
            self.context.emit(
                events.Warning(f"{path.name} has nothing for {many(begun.fresh, 'module')}: trained anew")
            )

    def told_to_stop(self) -> bool:
        """Follows what the run is asked; True to end now, with everything that was done kept."""
        if self.requests.to_pause():
            self.progress.read()
            self._keep_state()
            self.writer.flush()
            began = time.monotonic()
            self.requests.pause(self._where())
            # The card is held, and paid.
            self.progress.pace.add_other(time.monotonic() - began)
            self.progress.restart_clock()
        if not self.requests.to_stop():
            return False
        self.requests.stopping(self._where())
        self.progress.read()
        self._keep_state()
        self.writer.flush()
        return True

    def _where(self) -> str:
        return f"in epoch {self.step // self.plan.steps_per_epoch + 1}, at step {self.step}"
