"""A small project for tests that train and paint: the tiny base model, a few drawn images with captions."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from engine import events
from engine.dataset.files.layout import DatasetFolder
from engine.jobs.folder import EventLog, JobFolder, JobKind, Order
from engine.project import Project, create_project

COLOURS = ("red", "blue", "green", "white", "black", "yellow")

SETTINGS = {
    "base.model": "demo",
    "training.repeats": 2,
    "training.epochs": 2,
    "training.batch_size": 2,
    "training.rank": 4,
    "training.alpha": 2.0,
    "training.learning_rate": 5e-3,
    "training.sample_prompts": [],
    "painting.steps": 3,
    "painting.guidance_scale": 3.0,
    "painting.idle_seconds": 1.0,
}
"""What keeps a test quick."""


def small_project(root: Path, images: int = 3, **changes: object) -> Project:
    """A project with ``images`` training images; ``changes`` are settings with ``__`` for the dot."""
    project = create_project(root, trigger="jx265", class_word="man")
    project.change({**SETTINGS, **{key.replace("__", "."): value for key, value in changes.items()}})
    folder = DatasetFolder(project).path
    folder.mkdir(parents=True)
    for number in range(images):
        portrait(number).save(folder / f"{number + 1:04d}.png")
        (folder / f"{number + 1:04d}.txt").write_text(f"jx265 man, {COLOURS[number % 6]} shirt\n", "utf-8")
    return project


def random_lora(path: Path) -> Path:
    """Writes a LoRA for the tiny base model that changes pictures plainly, without having learnt anything."""
    import torch

    from engine.lora.file import pairs_of_peft, write_lora
    from engine.lora.metadata import LoraFacts
    from engine.models.locate import find_base
    from engine.models.sdxl.loaded import TARGETS
    from engine.models.sdxl.loading import load_pipeline
    from engine.settings import BaseSettings
    from engine.training.step.lora_adapter import add_lora, lora_state

    unet = load_pipeline(find_base(BaseSettings(model="demo"))).unet
    add_lora(unet, rank=4, alpha=2.0, seed=0, targets=TARGETS)
    torch.manual_seed(0)
    state = {name: torch.randn_like(tensor) * 0.05 for name, tensor in lora_state(unet).items()}
    facts = LoraFacts("jx265", 4, 2.0, "jx265", 64)
    write_lora(path, pairs_of_peft(state, 2.0), facts, unet.config.layers_per_block)
    return path


def run_with(project: Project, checkpoint: Path, name: str = "20261121-1403-jx265") -> JobFolder:
    """A finished run whose only checkpoint is a copy of that file, as its log tells it."""
    run = JobFolder(project.runs / name)
    run.write_order(Order(JobKind.TRAIN, project.root, {"settings": project.settings.model_dump(mode="json")}))
    kept = run.path / "checkpoints" / "jx265.safetensors"
    kept.parent.mkdir()
    kept.write_bytes(checkpoint.read_bytes())
    log = EventLog(run.events_path)
    log.emit(events.Job(events.JobState.RUNNING, 1))
    log.emit(events.Plan(3, 2, 2, 3, 1, 3, 6))
    for step in (1, 2, 3):
        log.emit(events.Step(step, 1, 0.1 * step, 1e-3, 10.0, 0.5))
    log.emit(events.Checkpoint("checkpoints/jx265.safetensors", 1, 3))
    log.emit(events.Epoch(1, 0.2, None, 6.0))
    log.emit(events.Job(events.JobState.DONE))
    log.close()
    return run


def portrait(number: int, side: int = 96) -> Image.Image:
    """A face that is told apart from the others by its colours."""
    image = Image.new("RGB", (side, side), COLOURS[number % 6])
    pen = ImageDraw.Draw(image)
    pen.ellipse((side * 0.25, side * 0.15, side * 0.75, side * 0.8), fill=(220 - 20 * number, 170, 140))
    for x in (0.4, 0.6):
        pen.ellipse((side * x - 4, side * 0.4 - 4, side * x + 4, side * 0.4 + 4), fill=(20, 20, 20 * number))
    return image
