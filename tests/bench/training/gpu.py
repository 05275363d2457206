"""What training takes on a card: ways to take a step, batches, checkpointing, then a whole LoRA; within eight minutes.

The most telling come first; what fails is told and the rest goes on; what there was no time for is told, too. Nothing
comes from a hub. Writes ``.bench/gpu.json`` and a table for the docs, ``.bench/gpu.md``.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine import events
from engine.events import JobState
from engine.jobs.folder import JobFolder
from engine.jobs.follow import wait
from engine.models.registry import arithmetic_of
from engine.models.shape import StepShape
from engine.settings import DEMO_BASE
from engine.training.planning.benchmark_store import of_run
from engine.training.planning.estimate import estimate_run
from engine.training.runs.run_status import run_status
from engine.training.runs.start import start_training
from tests.bench.result import Result
from tests.bench.training.families import FAMILIES
from tests.support.small_project import portrait, small_project

OUT = Path(".bench")
BUDGET = 480.0
"""Seconds for all of it."""
WHOLE = 240.0
"""Seconds that are kept back for the whole LoRA."""
LIMITS = {"compiled": 150.0, "": 60.0}
"""Seconds for one variant; compiling takes its time."""
RANK = 32


@dataclass(frozen=True)
class Variant:
    """A way to take a step."""

    way: str
    batch: int
    checkpointing: bool = False
    family: str = "sdxl"
    side: int = 1024
    """Pixels a side; 0: what the tiny base was made for."""

    @property
    def name(self) -> str:
        """As the table has it."""
        size = f" {self.side}" if self.side else ""
        return f"{self.family}{size}, {self.way}, batch {self.batch}{', checkpointing' if self.checkpointing else ''}"


@dataclass
class Measured:
    """What came of it."""

    card: str = ""
    versions: str = ""
    tflops: float | None = None
    variants: dict[Variant, dict[str, Any]] = field(default_factory=dict)
    whole: dict[str, Any] = field(default_factory=dict)


def variants(tiny: bool) -> tuple[list[Variant], list[Variant]]:
    """Those before the whole LoRA, and those after it as far as there is time; the most telling first."""
    if tiny:
        few = [
            Variant(way, batch, twice, family, 0)
            for family in FAMILIES
            for way, batch, twice in (("peft", 1, False), ("eager", 1, False), ("graphed", 2, True))
        ]
        return few, [Variant("compiled", 1, False, family, 0) for family in FAMILIES]
    sizes = [(family.name, family.sides[place]) for place in (0, 1) for family in FAMILIES.values()]
    first = [Variant(way, 4, False, *size) for size in sizes for way in ("graphed", "eager", "peft")]
    first += [Variant("compiled, graphed", 4, False, *size) for size in sizes[: len(FAMILIES)]]
    ways = ("graphed", "eager", "compiled", "compiled, graphed", "peft")
    rest = [
        Variant(way, batch, twice, *size)
        for twice in (False, True)
        for batch in (1, 4, 2, 6)
        for size in sizes
        for way in ways
    ]
    return first, [each for each in rest if each not in first]


def measure(tiny: bool) -> Iterator[Result]:
    """All of it; yields what goes into the table of figures."""
    ends = time.monotonic() + BUDGET
    found = Measured()
    base = _Base(tiny)
    worker = _Worker(tiny)
    try:
        about = worker.ask({"way": "about"}, 120.0)
        if "error" in about:
            raise SystemExit(f"train --gpu: {about['error']}")
        found.card, found.tflops = about["card"], about["tflops"]
        found.versions = f"torch {about['torch']}, CUDA {about['cuda'] or '–'}"
        first, rest = variants(tiny)
        _ask(worker, found, first, ends - WHOLE)
        worker.end()
        found.whole = _whole(found, base, tiny, ends)
        _write(found, tiny)
        _ask(worker, found, rest, ends)
    finally:
        worker.end()
        base.end()
        _write(found, tiny)
    yield from _results(found, tiny)


def _ask(worker: _Worker, found: Measured, wanted: list[Variant], ends: float) -> None:
    for each in wanted:
        left = ends - time.monotonic()
        if left < 10:
            found.variants[each] = {"error": "no time left"}
            continue
        print(f"  {each.name} …", file=sys.stderr, flush=True)
        limit = LIMITS["compiled" if "compiled" in each.way else ""]
        found.variants[each] = worker.ask(asdict(each), min(left, limit))


class _Worker:
    """The process that measures; one that fails or takes too long is ended, and the next question starts another."""

    def __init__(self, tiny: bool) -> None:
        self._command = [sys.executable, "-m", "tests.bench.training.variants", *(["--tiny"] if tiny else [])]
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()

    def ask(self, asked: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The answer, or what went wrong as ``error``."""
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            line = self._lines.get(timeout=seconds)
        except (queue.Empty, BrokenPipeError):
            self.end()
            return {"error": f"no answer within {seconds:.1f} s"}
        if line is None:
            self.end()
            return {"error": f"its process ended ({process.returncode})"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """Ends the process and gives its memory back."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lines: queue.Queue[str | None] = queue.Queue()

        def pump() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("{"):
                    lines.put(line)
            lines.put(None)

        threading.Thread(target=pump, daemon=True).start()
        self._process, self._lines = process, lines
        return process


class _Base:
    """The full-size base model in a folder, made beside the first variants: its random numbers take a core."""

    def __init__(self, tiny: bool) -> None:
        self.source = DEMO_BASE if tiny else str((OUT / "sdxl-base").resolve())
        self._process: subprocess.Popen[bytes] | None = None
        if not tiny and not (Path(self.source) / "model_index.json").exists():
            command = [sys.executable, "-m", "tools.make_base", self.source, "--size", "sdxl"]
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def wait(self, seconds: float) -> None:
        """Until it is there. Raises subprocess.SubprocessError where it does not come."""
        if self._process is not None and self._process.wait(max(1.0, seconds)):
            raise subprocess.SubprocessError("the base model could not be made")

    def end(self) -> None:
        """Ends its making."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _whole(found: Measured, base: _Base, tiny: bool, ends: float) -> dict[str, Any]:
    """A LoRA of SDXL from the order to the last checkpoint, by the quickest way with batch 4 that did not fail."""
    print("  a whole LoRA …", file=sys.stderr, flush=True)
    ours = {
        each: figures
        for each, figures in found.variants.items()
        if each.family == "sdxl" and each.way != "peft" and "error" not in figures
    }
    fours = {each: figures for each, figures in ours.items() if each.batch == 4 and not each.checkpointing} or ours
    best = max(fours, key=lambda each: fours[each]["images_per_s"], default=Variant("eager", 4))
    images, repeats, epochs = (4, 1, 2) if tiny else (25, 10, 10)
    try:
        base.wait(ends - time.monotonic())
        with tempfile.TemporaryDirectory() as folder:
            changes = {
                "base.model": base.source,
                "training.repeats": repeats,
                "training.epochs": epochs,
                "training.batch_size": best.batch,
                "training.rank": 4 if tiny else RANK,
                "training.compile": "on" if "compiled" in best.way else "off",
                "training.graph": "on" if "graphed" in best.way else "off",
                "training.gradient_checkpointing": best.checkpointing,
                "training.learning_rate": 1e-4,
            }
            project = small_project(Path(folder) / "james", images)
            for number, path in enumerate(sorted(project.dataset.glob("*/*.png"))):
                portrait(number % 6, 96 if tiny else 1024).save(path)
            said = estimate_run(project, changes)
            began = time.monotonic()
            job = start_training(project, changes)
            with _ended_at(ends, job):
                wait(job)
            status = run_status(job)
            if status.state is not JobState.DONE:
                return {"error": str(status.error), "way": best.name}
            taken = time.monotonic() - began
            figures = of_run(job.path)
            return {
                "seconds": taken,
                "way": best.name,
                "image_steps": images * repeats * epochs,
                "checkpoints": len(status.checkpoints),
                "said_seconds": said.seconds_total,
                "said_memory_gb": said.memory_gb,
                "said_by": said.source,
                "measured": figures and figures.record(),
                "warnings": [each.event.message for each in job.entries() if isinstance(each.event, events.Warning)],
            }
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:200], "way": best.name}


@contextlib.contextmanager
def _ended_at(ends: float, job: JobFolder) -> Iterator[None]:
    """Kills a job that is not done by then."""

    def end() -> None:
        if (pid := run_status(job).pid) is not None:
            os.kill(pid, signal.SIGKILL)

    timer = threading.Timer(ends - time.monotonic(), end)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _share(found: Measured, each: Variant, figures: dict[str, Any], tiny: bool) -> float | None:
    """How near a step is to its arithmetic without checkpointing at the card's own rate, 0 to 1."""
    if tiny or not found.tflops or "error" in figures:
        return None
    tflop = arithmetic_of(each.family, FAMILIES[each.family].size).step_tflop(StepShape(each.side, 1, RANK))
    return tflop / found.tflops * float(figures["images_per_s"])


def _write(found: Measured, tiny: bool) -> None:
    OUT.mkdir(exist_ok=True)
    rows = []
    for each, figures in found.variants.items():
        rows.append({**asdict(each), **figures, "share_of_floor": _share(found, each, figures, tiny)})
    record = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "card": found.card,
        "cores": os.cpu_count(),
        "versions": found.versions,
        "matmul_tflops": found.tflops,
        "tiny": tiny,
        "variants": rows,
        "whole": found.whole,
    }
    (OUT / "gpu.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (OUT / "gpu.md").write_text(_markdown(found, tiny), "utf-8")


def _markdown(found: Measured, tiny: bool) -> str:
    head = f"{found.card}, {found.versions}, {time.strftime('%Y-%m-%d')}; matrices: {found.tflops or 0:.0f} TFLOP/s"
    lines = [
        head,
        "",
        "| base | side | way | batch | checkpointing | images/s | GB | of the floor | ready after, s | |",
    ]
    lines.append("|---" * 10 + "|")
    for each, figures in found.variants.items():
        twice = "on" if each.checkpointing else "off"
        told = f"{each.family} | {each.side or 'tiny'} | {each.way} | {each.batch} | {twice}"
        if "error" in figures:
            lines.append(f"| {told} | – | – | – | – | {figures['error']} |")
            continue
        share = _share(found, each, figures, tiny)
        cells = [
            f"{figures['images_per_s']:.2f}",
            f"{figures['memory_gb']:.1f}",
            "–" if share is None else f"{share:.0%}",
            f"{figures['ready_s']:.1f}",
            "; ".join(figures["told"]),
        ]
        lines.append(f"| {told} | {' | '.join(cells)} |")
    whole = found.whole
    if "seconds" in whole:
        told = f"{whole['seconds']:.0f} s ({whole['way']}; {whole['checkpoints']} checkpoints)"
        lines += ["", f"A whole LoRA of {whole['image_steps']} image-steps: {told}."]
    elif whole:
        lines += ["", f"A whole LoRA ({whole['way']}): {whole['error']}."]
    return "\n".join(lines) + "\n"


def _results(found: Measured, tiny: bool) -> Iterator[Result]:
    plain = {
        (each.family, each.side, each.batch): figures
        for each, figures in found.variants.items()
        if each.way == "peft" and not each.checkpointing
    }
    for each, figures in found.variants.items():
        name = f"train: {each.name}"
        if "error" in figures:
            yield Result(name, None, "images/s", note=figures["error"])
            continue
        pace, against = (
            float(figures["images_per_s"]),
            plain.get((each.family, each.side, each.batch), {}).get("images_per_s"),
        )
        share = _share(found, each, figures, tiny)
        note = f"{figures['memory_gb']:.1f} GB" + ("" if share is None else f", {share:.0%} of the floor")
        yield Result(name, pace, "images/s", "plain peft" if against else "", against and pace / against, note)
    seconds = found.whole.get("seconds")
    note = found.whole.get("error") or found.whole.get("way", "")
    against, ratio = ("", None) if tiny or not seconds else ("180 s", 180 / seconds)
    yield Result("train: a whole LoRA", seconds, "s", against, ratio, note)
