"""``python -m tests.bench [NAME …]``: runs the benchmarks, prints a table and writes ``.bench/results.json``.

A benchmark is a module of this folder whose name begins with ``bench_``; its ``results()`` yields figures. Names given
run only those. With ``--gpu`` those that have a part for a card run that, ``gpu_results()``; with ``--tiny`` added
its code runs on the tiny base, on any machine.
"""

from __future__ import annotations

import json
import os
import pkgutil
import platform
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import tests.bench
from tests.bench.result import Result

OUT = Path(".bench/results.json")


FLAGS = {"--gpu": "what is measured on a card", "--tiny": "with --gpu: its code on the tiny base, anywhere"}


def main(arguments: list[str]) -> None:
    """Runs what is asked for."""
    names = [each for each in arguments if not each.startswith("-")]
    flags = set(arguments) - set(names)
    if unknown := flags - set(FLAGS):
        told = "; ".join(f"{flag} {what}" for flag, what in FLAGS.items())
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}. {told}")
    found = [module.name for module in pkgutil.iter_modules(tests.bench.__path__) if module.name.startswith("bench_")]
    wanted = [name for name in found if not names or name.removeprefix("bench_") in names]
    if not wanted:
        known = ", ".join(name.removeprefix("bench_") for name in found)
        raise SystemExit(f"there is no benchmark of that name; there are: {known}")
    results: list[Result] = []
    for name in wanted:
        print(f"{name.removeprefix('bench_')} …", file=sys.stderr, flush=True)
        bench = import_module(f"tests.bench.{name}")
        if "--gpu" not in flags:
            results += bench.results()
        elif hasattr(bench, "gpu_results"):
            results += bench.gpu_results("--tiny" in flags)
    _print(results)
    OUT.parent.mkdir(exist_ok=True)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    record = {
        "machine": machine,
        "date": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "results": [asdict(result) for result in results],
    }
    OUT.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"\n{machine}\nwritten to {OUT}", file=sys.stderr)


def _print(results: list[Result]) -> None:
    rows = [
        (
            result.name,
            "–" if result.value is None else f"{result.value:,.4g}",
            result.unit,
            result.against,
            "" if result.ratio is None else f"{result.ratio:.2f} ×",
            result.note,
        )
        for result in results
    ]
    head = ("what", "value", "unit", "against", "ratio", "note")
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in (head, *rows):
        cells = [cell.rjust(width) if at in (1, 4) else cell.ljust(width) for at, (cell, width) in
                 enumerate(zip(row, widths, strict=True))]  # fmt: skip
        print("  ".join(cells).rstrip())


if __name__ == "__main__":
    sys.path.insert(0, str(Path("tests").resolve()))
    main(sys.argv[1:])
