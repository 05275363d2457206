"""What a LoRA file tells of its training, by kohya's names: numbers always, words of a real person only when asked.

Source: kohya-ss/sd-scripts ``train_network.py``, which writes these keys and whose users' tools read them. An unset
value is the word ``None`` there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from engine import events
from engine.settings import Optimizer, TrainingSettings
from engine.storage.atomic_files import write_text
from engine.storage.untrusted_files import parse_toml, read_json, read_text
from engine.training.data.caption_variants import as_written
from engine.training.data.examples import Example
from engine.training.data.training_set import TrainingSet
from engine.training.step.memory_fallback import MicrobatchPlan

WORDS_NAME = "words.json"
"""Where a run keeps the words that its files are to carry, for it goes on without its dataset."""

_OPTIMIZERS = {
    Optimizer.ADAMW: "torch.optim.adamw.AdamW",
    Optimizer.ADAMW_8BIT: "bitsandbytes.optim.adamw.AdamW8bit",
    Optimizer.ADAFACTOR: "transformers.optimization.Adafactor",
    Optimizer.PRODIGY: "prodigyopt.prodigy.Prodigy",
}


def history(
    settings: TrainingSettings,
    plan: events.Plan,
    fitting: MicrobatchPlan,
    half: bool,
    buckets: Sequence[tuple[int, int, int]],
) -> dict[str, object]:
    """How a LoRA was trained, in numbers.

    Args:
        settings: of the run.
        plan: of the run.
        fitting: how the work is cut now.
        half: whether the base model is kept in bf16.
        buckets: width, height and number of images of each bucket.
    """
    seen = plan.image_steps // plan.epochs
    texts = settings.text_encoder_learning_rate if settings.train_text_encoders else None
    by_number = {
        str(number): {"resolution": [width, height], "count": count}
        for number, (width, height, count) in enumerate(buckets)
    }
    return {
        "ss_learning_rate": settings.learning_rate,
        "ss_unet_lr": settings.learning_rate,
        "ss_text_encoder_lr": str(texts),
        "ss_num_train_images": seen - plan.regularisation,
        "ss_num_reg_images": plan.regularisation,
        "ss_num_batches_per_epoch": plan.steps_per_epoch * fitting.accumulation,
        "ss_max_train_steps": plan.steps,
        "ss_batch_size_per_device": fitting.batch,
        "ss_total_batch_size": fitting.batch * fitting.accumulation,
        "ss_gradient_accumulation_steps": fitting.accumulation,
        "ss_gradient_checkpointing": fitting.checkpointing,
        "ss_mixed_precision": "bf16" if half else "no",
        "ss_lr_scheduler": settings.lr_scheduler.value,
        "ss_lr_warmup_steps": round(settings.lr_warmup * plan.steps),
        "ss_optimizer": _OPTIMIZERS[fitting.optimizer],
        "ss_max_grad_norm": settings.max_grad_norm,
        "ss_network_dropout": settings.dropout or "None",
        "ss_seed": settings.seed,
        "ss_min_snr_gamma": str(settings.min_snr_gamma),
        "ss_noise_offset": settings.noise_offset or "None",
        "ss_prior_loss_weight": settings.prior_loss_weight,
        "ss_caption_dropout_rate": settings.caption_dropout,
        "ss_shuffle_caption": settings.caption_shuffle,
        "ss_keep_tokens": settings.keep_tokens,
        "ss_masked_loss": settings.masked_loss,
        "ss_cache_latents": True,
        "ss_enable_bucket": settings.buckets,
        "ss_bucket_no_upscale": not settings.bucket_upscale,
        "ss_bucket_info": json.dumps({"buckets": by_number}),
    }


def started_at(record: Path) -> float | None:
    """When a run began, from its ``run.toml``, in Unix seconds; None where that can't be read."""
    try:
        return datetime.strptime(parse_toml(read_text(record))["started"], "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_words(state: Path, training_set: TrainingSet, settings: TrainingSettings) -> None:
    """Keeps the words that LoRA files are to carry, in the run's state folder; nothing where nobody asked for it."""
    if not settings.publish_captions:
        return
    person = [each for each in training_set.examples if not each.regularisation]
    others = [each for each in training_set.examples if each.regularisation]
    words = {
        "ss_tag_frequency": json.dumps(_tags(person), ensure_ascii=False),
        "ss_dataset_dirs": json.dumps(_folders(person, settings), ensure_ascii=False),
        "ss_reg_dataset_dirs": json.dumps(_folders(others, settings), ensure_ascii=False),
    }
    state.mkdir(parents=True, exist_ok=True)
    write_text(state / WORDS_NAME, json.dumps(words, ensure_ascii=False))


def kept_words(state: Path) -> dict[str, str]:
    """What ``keep_words`` kept."""
    try:
        record: Any = read_json(state / WORDS_NAME)
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in record.items()}


def _tags(examples: Sequence[Example]) -> dict[str, dict[str, int]]:
    """How often each part of a caption comes, by folder."""
    found: dict[str, Counter[str]] = {}
    for each in examples:
        parts = (part.strip() for part in as_written(each.caption).split(","))
        found.setdefault(each.image.parent.name, Counter()).update(part for part in parts if part)
    return {folder: dict(counts) for folder, counts in found.items()}


def _folders(examples: Sequence[Example], settings: TrainingSettings) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for each in examples:
        repeats = each.repeats or settings.repeats
        folder = found.setdefault(each.image.parent.name, {"n_repeats": repeats, "img_count": 0})
        folder["img_count"] += 1
    return found
