"""``limner lora``: what a LoRA or LoKr file holds, and the same in other names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.counting import many
from engine.lora.compatibility import clients, here
from engine.lora.header import LoraHeader, context_width, lora_hash, no_numbers, read_header
from engine.lora.layouts import Style, made_for, module_counts, title_of
from engine.lora.lokr_header import factor_of
from engine.lora.scales import told_alpha, told_alphas
from tui.cli.report import document, json_option, narrate, table

_TROUBLE = {
    "no pair": "belong to no whole pair of matrices",
    "no numbers": "hold NaN or infinite values: pictures come out black",
}


@click.group()
def lora() -> None:
    """Inspect a LoRA or LoKr file, or convert it to other names."""


@lora.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show FILE's family, network, modules, rank, alpha, base model and trigger, and which programs can load it."""
    header = read_header(file, any_network=True)
    record = describe(header)
    if as_json:
        document(record)
        return
    counts = {**record["modules"], **record["other_networks"], "with DoRA": record["dora_modules"]}
    modules = ", ".join(f"{count} {part}" for part, count in counts.items() if count)
    rows = [
        ("family", record["family"]),
        ("network", network_words(record)),
        ("modules", modules),
        ("rank", rank_words(record)),
        ("alpha", _span(record["alpha"], record["alphas"]) or "none (readers take the rank)"),
        ("base", record["base"] or "not told"),
        ("trigger", record["trigger"] or "not told"),
        ("epoch, steps", f"{record['epoch'] or '–'}, {record['steps'] or '–'}"),
        ("numbers", ", ".join(record["dtypes"])),
        ("size", f"{record['bytes'] / 1e6:.1f} MB"),
        ("hash", record["hash"]),
        *record["clients"].items(),
        ("Limner", record["here"]),
    ]
    for name, found in (("no pair", record["stray"]), ("no numbers", record["no_numbers"])):
        if found:
            rows.append((name, f"! {len(found)} tensors {_TROUBLE[name]}, such as {found[0]}"))
    table(("what", "in the file"), [(name, str(value)) for name, value in rows])


@lora.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "output", type=click.Path(path_type=Path), required=True, help="The file to write: .safetensors.")
@click.option("--to", "style", type=click.Choice([each.value for each in Style]), required=True, help="Whose names.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@json_option
def convert(file: Path, output: Path, style: str, overwrite: bool, as_json: bool) -> None:
    """Write FILE anew in other programs' names: what each module does stays the same."""
    from engine.lora.conversion.process import convert_file

    family = title_of(made_for(read_header(file)))
    count = convert_file(file, output, Style(style), overwrite=overwrite)
    if as_json:
        document({"file": str(output), "to": style, "family": family, "modules": count})
        return
    narrate(f"{many(count, 'module')} made for {family} in {output}")


def network_words(record: dict[str, Any]) -> str:
    """``LoKr, factor 8``."""
    if record["network"] not in ("LoKr", "LoRA and LoKr"):
        return str(record["network"])
    factor = record["factor"]
    return f"{record['network']}, " + ("several factors" if factor is None else f"factor {factor}")


def rank_words(record: dict[str, Any]) -> str:
    """The rank that most modules have, and how many are whole."""
    span, whole = _span(record["rank"], record["ranks"]), record["whole_modules"]
    return span + (f"{', ' if span else ''}{many(whole, 'module')} whole" if whole else "")


def _network(header: LoraHeader) -> str:
    """What kind of network it is, by its modules."""
    lokrs = len(header.lokr)
    kinds = [*(["LoRA"] if len(header.modules) > lokrs else []), *(["LoKr"] if lokrs else [])]
    return " and ".join(kinds) or " and ".join(header.other_networks)


def _span(usual: float | None, values: list[float]) -> str:
    """What most modules have, and from where to where the others go."""
    if not values:
        return ""
    ends = f" in most, {values[0]:g} to {values[-1]:g} overall" if len(values) > 1 else ""
    return f"{usual if usual is not None else values[0]:g}{ends}"


def describe(header: LoraHeader) -> dict[str, Any]:
    """As ``limner lora show --json`` prints it."""
    about = header.metadata
    return {
        "file": str(header.path),
        "family": title_of(made_for(header)),
        "modules": module_counts(header),
        "other_networks": header.other_networks,
        "dora_modules": header.dora_modules,
        "network": _network(header),
        "factor": factor_of(header.lokr.values()) if header.lokr else None,
        "rank": header.rank,
        "ranks": sorted({rank for _, rank, _ in header.modules.values()} - {0}),
        "whole_modules": sum(each.whole for each in header.lokr.values()),
        "alpha": told_alpha(header),
        "alphas": told_alphas(header),
        "base": about.get("ss_base_model_version") or about.get("modelspec.architecture"),
        "context_width": context_width(header),
        "title": about.get("modelspec.title") or about.get("ss_output_name"),
        "trigger": about.get("modelspec.trigger_phrase"),
        "epoch": about.get("ss_epoch"),
        "steps": about.get("ss_steps"),
        "dtypes": sorted({tensor.dtype for tensor in header.tensors.values()}),
        "tensors": len(header.tensors),
        "stray": header.useless_tensors(),
        "no_numbers": no_numbers(header),
        "bytes": header.path.stat().st_size,
        "hash": lora_hash(header.path),
        "metadata": about,
        "clients": clients(header),
        "here": here(header),
    }
