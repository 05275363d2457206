"""Prompts from elsewhere: A1111's ``styles.csv``, and the text inside the PNGs of A1111, Forge and ComfyUI."""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.errors import PromptError
from engine.faces.photo.loading import open_header
from engine.pictures.orders.png_parameters import CHUNK, Parameters
from engine.prompts.extra_networks import strip
from engine.prompts.grammar import escape, is_balanced
from engine.prompts.shared_prompts import SharedPrompt
from engine.settings import PersonSettings
from engine.storage.untrusted_files import LARGEST_BYTES, parse_json, read_text

STYLE_SLOT = "{prompt}"
"""Where A1111 puts the prompt into a style."""

PERSON = "{trigger} {class}"

ENDINGS = ("positive", "negative")
"""The inputs of ComfyUI's samplers that say what is, and what is not, to be on the picture."""

MOST_SAMPLERS = 50
"""Nodes with a prompt on their way that are followed; each may lead through the whole graph."""

_TEXTS = ("text", "text_g", "text_l", "string", "value", "prompt", "positive", "wildcard_text", "populated_text")
"""Inputs of ComfyUI's nodes that hold text, the likeliest first."""


@dataclass(frozen=True)
class Imported:
    """Prompts that were found, and what was left out of them."""

    prompts: tuple[SharedPrompt, ...]
    notes: tuple[str, ...] = ()


def import_prompts(path: Path, person: PersonSettings | None = None) -> Imported:
    """Reads the prompts of a ``styles.csv`` or a PNG.

    LoRAs that the prompts name are left out, for they are another program's files. The person's own trigger word
    becomes ``{trigger}``.

    Raises:
        PromptError: not there, neither of the two, or without a prompt in it.
    """
    if not path.is_file():
        raise PromptError(f"there is no {path}", "give A1111's styles.csv, or a PNG")
    found = _from_styles(path) if path.suffix.lower() == ".csv" else _from_png(path)
    notes: list[str] = []
    prompts: list[SharedPrompt] = []
    for each in found:
        bare = strip(each.text)
        notes += [f"{each.name or path.name}: left out the LoRA {tag.name}" for tag in bare.loras]
        tidied = replace(each, text=_tidy(bare.text, person), negative=_tidy(strip(each.negative).text, None))
        if tidied.text or tidied.negative:
            prompts.append(tidied)
    if not prompts:
        raise PromptError(f"{path} holds no prompt", "give A1111's styles.csv, or a PNG of A1111, Forge or ComfyUI")
    return Imported(tuple(dict.fromkeys(prompts)), tuple(notes))


LARGEST_STYLES = 32_000_000
"""Bytes of a file of styles."""


def _from_styles(path: Path) -> list[SharedPrompt]:
    """A1111's styles: ``name,prompt,negative_prompt``; ``text`` in old files."""
    try:
        text = read_text(path, LARGEST_BYTES)
    except (OSError, ValueError) as error:
        raise PromptError(f"{path} can't be read ({error})", "save it as UTF-8") from error
    return styles_in(text, path)


def styles_in(text: str, path: Path) -> list[SharedPrompt]:
    """The prompts of a ``styles.csv``'s text; ``path`` is what it is called. Raises PromptError where it is none."""
    try:
        rows = list(csv.DictReader(io.StringIO(text.replace("\0", ""), newline="")))
    except csv.Error as error:
        raise PromptError(f"{path} is not a CSV file ({error})", "give A1111's styles.csv") from error
    if not rows or not {"name", "negative_prompt"} & set(rows[0]):
        raise PromptError(f"{path} is not A1111's styles.csv", "its first line is name,prompt,negative_prompt")
    found: list[SharedPrompt] = []
    for row in rows:
        style = (row.get("prompt") or row.get("text") or "").strip(" ,\n")
        if STYLE_SLOT in style:
            style = PERSON.join(_balanced(part) for part in style.split(STYLE_SLOT))
        elif style:
            style = f"portrait of {PERSON}, {_balanced(style)}"
        negative = (row.get("negative_prompt") or "").replace(STYLE_SLOT, "")
        found.append(SharedPrompt(style, _balanced(negative), (row.get("name") or "").strip(), ("style",)))
    return found


def _from_png(path: Path) -> list[SharedPrompt]:
    try:
        with open_header(path) as image:
            told = {key: value for key, value in image.info.items() if isinstance(value, str)}
    except (OSError, ValueError, SyntaxError) as error:
        raise PromptError(f"{path} is not a picture that can be read", "give a PNG") from error
    if CHUNK in told:
        about = Parameters.from_text(told[CHUNK])
        return [SharedPrompt(_balanced(about.prompt), _balanced(about.negative), path.stem, ("imported",))]
    if "prompt" in told:
        text, negative = read_graph(told["prompt"])
        return [SharedPrompt(_balanced(text), _balanced(negative), path.stem, ("imported",))]
    return []


def read_graph(text: str) -> tuple[str, str]:
    """The prompt and the negative prompt of a ComfyUI graph (the ``prompt`` text of its PNGs).

    The graph is JSON: numbers of nodes to ``{"class_type", "inputs"}``; an input is a value, or ``[node, output]``.
    A sampler's ``positive`` and ``negative`` are followed to the texts at their ends.
    """
    try:
        graph = parse_json(text)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(graph, dict):
        return "", ""
    nodes = {str(key): node["inputs"] for key, node in graph.items() if _is_node(node)}
    best: tuple[str, str] = ("", "")
    followed = 0
    for inputs in nodes.values():
        if followed == MOST_SAMPLERS:
            break
        if all(_is_link(inputs.get(ending)) for ending in ENDINGS):
            found = (_texts(nodes, inputs["positive"]), _texts(nodes, inputs["negative"]))
        elif _is_link(inputs.get("conditioning")) and _is_link(inputs.get("model")):
            # Guiders of newer models know no negative prompt.
            found = (_texts(nodes, inputs["conditioning"]), "")
        else:
            continue
        followed += 1
        # Conditioning nodes have both, too; the sampler's is the one that says the most.
        best = max(best, found, key=lambda pair: (len(pair[0]), len(pair[1])))
    return best


def _texts(nodes: Mapping[str, Mapping[str, Any]], link: Any) -> str:
    """The texts that a link leads to, each once, in their order."""
    found: dict[str, None] = {}
    seen: set[tuple[str, object]] = set()
    waiting = deque([link])
    while waiting:
        node, output = waiting.popleft()
        number = f"{node}"
        if (number, output) in seen or number not in nodes:
            continue
        seen.add((number, output))
        inputs = nodes[number]
        said = [inputs[name] for name in _TEXTS if isinstance(inputs.get(name), str) and inputs[name].strip()]
        for each in said:
            found[each.strip()] = None
        if said:
            continue
        both = [inputs[ending] for ending in ENDINGS if _is_link(inputs.get(ending))]
        if len(both) == len(ENDINGS) and output in (0, 1):
            # A node that passes both sides on gives the one out first, the other second.
            waiting.append(both[output])
        else:
            waiting += [value for value in inputs.values() if _is_link(value)]
    return ", ".join(found)


def _is_node(node: Any) -> bool:
    return isinstance(node, dict) and isinstance(node.get("inputs"), dict)


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(each, (str, int)) for each in value)


def _balanced(text: str) -> str:
    """Text whose braces can be read as choices, or stand for themselves."""
    return text if is_balanced(text) else escape(text)


def _tidy(text: str, person: PersonSettings | None) -> str:
    if person is not None:
        text = re.sub(rf"\b{re.escape(person.trigger)}\b", "{trigger}", text)
        text = text.replace("{trigger} " + person.class_word, PERSON)
    return " ".join(text.split()).strip(" ,")
