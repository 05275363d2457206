"""The prompts that a run paints as samples, read as ``limner paint`` reads them."""

from __future__ import annotations

from engine.errors import PromptError
from engine.models.usual_settings import guidance_remarks, kind_of
from engine.prompts.grammar import chosen
from engine.prompts.to_paint import names_a_lora, remarks_on
from engine.settings import PersonSettings, Settings


def sample_prompts(settings: Settings) -> list[str]:
    """What a run paints: the prompts that are set, or the project's own style, read as ``limner paint`` reads them.

    Of choices the first picture's seed takes one for the whole run, so that the epochs can be compared.
    """
    wanted = settings.training.sample_prompts
    training = settings.training
    texts = [settings.painting.style] if wanted is None else wanted
    return [_prompt(text, settings.person, training.sample_seed + number) for number, text in enumerate(texts)]


def told_of_samples(settings: Settings) -> list[str]:
    """What is odd about the prompts that a run paints.

    Raises:
        PromptError: nothing can be painted from one of them, or it names a LoRA.
    """
    training, painting = settings.training, settings.painting
    wanted = training.sample_prompts
    texts = [painting.style] if wanted is None else wanted
    if not texts:
        return []
    for text in texts:
        if names_a_lora(text):
            fix = "leave <lora:…> out of training.sample_prompts"
            raise PromptError("a run's sample pictures use its own LoRA and no other", fix)
    steps = training.sample_inference_steps
    kind = kind_of(settings.base if training.sample_base == "model" else settings.base.for_painting)
    told = remarks_on(texts, settings.person, steps, training.sample_seed, None, [painting.negative], kind.family)
    return told + guidance_remarks(kind, painting.guidance_scale, [painting.negative])


def _prompt(text: str, person: PersonSettings, seed: int) -> str:
    try:
        return chosen(text, person, seed)
    except PromptError:
        # Told where the run is started.
        return text
