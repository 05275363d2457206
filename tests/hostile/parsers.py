"""Every text from outside that is parsed, by the function that does: what ``test_long_words.py`` feeds with long ones.

``test_table.py`` looks that no module of the code reads text by a pattern without being named here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.segment import Segment
from textual.color import Color

from engine.bundle.contents import BundleKind, checked_name, read_about
from engine.dataset.captions.cleanup_rules import Cleaner
from engine.dataset.captions.models.vision_answer import answer_of, is_refusal
from engine.dataset.captions.parts import led, parts_of_prose
from engine.dataset.files.caption_file import one_line, parse_caption
from engine.events import from_line
from engine.faces.selection.filter import completions, read_filter
from engine.jobs.folder import JobFolder
from engine.library.address import parse_address
from engine.library.values import well_formed
from engine.llm.server import _texts as pieces_of_text
from engine.llm.server import canonical_address
from engine.lora.families.klein_names import modules_of
from engine.lora.families.z_image_names import modules_of as z_image_modules_of
from engine.lora.key_formats import module_of
from engine.pictures.gallery.filter import picture_completions, read_picture_filter
from engine.pictures.gallery.found_prompts import read_graph, styles_in
from engine.pictures.grid.axes import Known, read_axis
from engine.pictures.grid.plan import slug
from engine.pictures.orders.png_parameters import Parameters
from engine.prompts import grammar
from engine.prompts.attention import parse_attention
from engine.prompts.axes import axis_of
from engine.prompts.axis_variation import Size, parts_of, vary
from engine.prompts.extra_networks import strip
from engine.prompts.llm.answers import prompts_in
from engine.prompts.llm.filtering import VariationFilter
from engine.prompts.llm.request import VariationRequest, hidden
from engine.prompts.prompt_editing import parse_schedule
from engine.prompts.to_paint import read_prompt
from engine.remote.boxes import read_address
from engine.remote.mirror import Mirror
from engine.secrets import without_secrets
from engine.settings import CaptionsSettings, CleanUp, PersonSettings
from engine.settings.samplers import read_sampler, read_schedule
from engine.storage.guarded_sqlite import may_compute
from engine.storage.toml_lines import line_of
from engine.storage.untrusted_files import parse_json, parse_toml
from tui.cli.old_settings import may_hold_old_names
from tui.cli.paint_options import LoraAtStrength
from tui.screens.grid.screen import axes_of
from tui.terminal.output_filter import OutputFilter
from tui.terminal.responses import Answers
from tui.text.sanitize import sanitize
from tui.theming.keymap import hint_line
from tui.widgets.ink import title_of

PERSON = PersonSettings()


def _last_gate(text: str) -> object:
    return OutputFilter().apply([Segment(text)], Color.parse("black"))


EVERY_RULE = CaptionsSettings(rules_on=tuple(CleanUp), drop=("*a*b*c*",), keep=("*x*y*",))

PARSERS: dict[str, Callable[[str], object]] = {
    "engine.library.address": parse_address,
    "engine.llm.server": canonical_address,
    "engine.llm.server, events": lambda text: list(
        pieces_of_text(iter(text.encode("utf-8", "replace").splitlines(True)))
    ),
    "engine.secrets": without_secrets,
    "engine.prompts.extra_networks": strip,
    "engine.prompts.attention": parse_attention,
    "engine.prompts.prompt_editing": lambda text: parse_schedule(text, 30),
    "engine.prompts.grammar": lambda text: grammar.variations(text, 2, 1),
    "engine.prompts.grammar, plain": grammar.plain,
    "engine.prompts.grammar, choices": grammar.has_choices,
    "engine.prompts.grammar, braces": grammar.lone_braces,
    "engine.prompts.grammar, distance": lambda text: grammar.distance(text, text + " a"),
    "engine.remote.boxes": lambda text: read_address("box", text),
    "engine.remote.mirror": lambda text: Mirror(JobFolder(Path("/nowhere"))).feed(text.encode() + b"\n"),
    "engine.prompts.to_paint": lambda text: read_prompt(text, PERSON, 30, seed=1),
    "engine.prompts.axis_variation": parts_of,
    "engine.prompts.axis_variation, vary": lambda text: vary(text, 2, 1, size=Size.SMALL),
    "engine.prompts.axes": axis_of,
    "engine.prompts.llm.answers": prompts_in,
    "engine.prompts.llm.request": lambda text: hidden(text, PERSON),
    "engine.prompts.llm.filtering": lambda text: VariationFilter(
        VariationRequest("photo of jx265 person, in a park", PERSON, 3, 1, ("place",))
    ).sift(text),
    "engine.dataset.captions.models.vision_answer": answer_of,
    "engine.dataset.captions.models.vision_answer, refusal": is_refusal,
    "engine.dataset.captions.parts": lambda text: led(PERSON, text.split(",")),
    "engine.dataset.captions.parts, prose": lambda text: parts_of_prose(text, PERSON),
    "engine.dataset.captions.cleanup_rules": lambda text: Cleaner(EVERY_RULE).parts(text.split(",")),
    "engine.dataset.captions.cleanup_rules, sentence": lambda text: Cleaner(EVERY_RULE).sentence(text),
    "engine.dataset.captions.cleanup_rules, tag": lambda text: Cleaner(EVERY_RULE).tag(text),
    "engine.dataset.files.caption_file": lambda text: parse_caption(text.encode("utf-8", "replace"), "a").with_caption(
        "b"
    ),
    "engine.dataset.files.caption_file, line": lambda text: one_line(text, "a"),
    "engine.filter_line": read_filter,
    "engine.faces.selection.filter": completions,
    "engine.pictures.gallery.filter": read_picture_filter,
    "engine.pictures.gallery.filter, words": picture_completions,
    "engine.pictures.orders.png_parameters": Parameters.from_text,
    "engine.pictures.gallery.found_prompts": read_graph,
    "engine.pictures.gallery.found_prompts, styles": lambda text: styles_in(text, Path("styles.csv")),
    "engine.pictures.grid.axes": lambda text: read_axis(f"strength={text}", KNOWN),
    "engine.pictures.grid.axes, prompt": lambda text: read_axis(f"prompt={text}", KNOWN),
    "engine.pictures.grid.axes, seed": lambda text: read_axis(f"seed={text}", KNOWN),
    "engine.pictures.grid.axes, checkpoint": lambda text: read_axis(f"checkpoint={text}", KNOWN),
    "engine.pictures.grid.plan": slug,
    "engine.settings.samplers": read_sampler,
    "engine.settings.samplers, schedule": read_schedule,
    "engine.storage.guarded_sqlite": lambda text: may_compute(f"CREATE INDEX a ON b {text}"),
    "engine.storage.untrusted_files, JSON": parse_json,
    "engine.storage.untrusted_files, TOML": parse_toml,
    "engine.storage.toml_lines": lambda text: line_of(text, ("a", "b")),
    "engine.events": from_line,
    "engine.bundle.contents": lambda text: checked_name(f"runs/{text}", BundleKind.RUNS),
    "engine.bundle.contents, about": lambda text: read_about(text.encode("utf-8", "replace")),
    "engine.library.values": well_formed,
    "engine.lora.key_formats": module_of,
    "engine.lora.families.klein_names": modules_of,
    "engine.lora.families.z_image_names": z_image_modules_of,
    "tui.cli.paint_options": lambda text: LoraAtStrength().convert(text, None, None),
    "tui.theming.keymap": hint_line,
    "tui.cli.old_settings": lambda text: may_hold_old_names(text.encode()),
    "tui.screens.grid.screen": axes_of,
    "tui.terminal.responses": lambda text: Answers().take(text.encode("utf-8", "replace")),
    "tui.text.sanitize": sanitize,
    "tui.terminal.output_filter": _last_gate,
    "tui.widgets.ink": title_of,
}
KNOWN = Known(Path("/nowhere"), PERSON)
