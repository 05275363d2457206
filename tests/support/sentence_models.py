"""Tiny BLIP and Florence-2 models with random weights, saved as transformers saves them, for the real loading code."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BartConfig,
    BertTokenizerFast,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    CLIPImageProcessor,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    PreTrainedTokenizerFast,
)

WORDS = ("a", "man", "woman", "on", "beach", "with", "hat", "smiling", "the", "sea", "red", "shirt")


def save_blip(folder: Path) -> Path:
    """A BLIP of a few thousand weights that says random words of ``WORDS``."""
    folder.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"))
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**size, "vocab_size": len(vocabulary), "encoder_hidden_size": 16, "max_position_embeddings": 64}
    text |= {"bos_token_id": 2, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    torch.manual_seed(0)
    config = BlipConfig(text_config=text, vision_config={**size, "image_size": 32, "patch_size": 16})
    BlipForConditionalGeneration(config).save_pretrained(folder)
    images = BlipImageProcessor(size={"height": 32, "width": 32})
    BlipProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def save_florence(folder: Path) -> Path:
    """A Florence-2 of a few thousand weights that says random words of ``WORDS``."""
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    places = [f"<loc_{number}>" for number in range(1000)]
    asked = [
        "Describe",
        "in",
        "detail",
        "what",
        "is",
        "shown",
        "in",
        "the",
        "image.",
        "What",
        "does",
        "the",
        "image",
        "describe?",
    ]
    vocabulary = list(dict.fromkeys(["<s>", "<pad>", "</s>", "<unk>", "<image>", *WORDS, *asked]))
    ids = {word: number for number, word in enumerate(vocabulary)}
    plain = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    plain.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain,
        **special,
        extra_special_tokens={"image_token": "<image>"},
        additional_special_tokens=places,
    )
    stages = 4
    vision = {
        "depths": [1] * stages,
        "embed_dim": [8] * stages,
        "num_heads": [2] * stages,
        "num_groups": [2] * stages,
        "window_size": 4,
        "projection_dim": 16,
    }
    size = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    text = BartConfig(
        **size,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=300,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        forced_eos_token_id=2,
    )
    torch.manual_seed(0)
    config = Florence2Config(text_config=text.to_dict(), vision_config=vision, image_token_id=ids["<image>"])
    model = Florence2ForConditionalGeneration(config)
    model.save_pretrained(folder)
    images = CLIPImageProcessor(size={"height": 64, "width": 64}, do_center_crop=False)
    images.image_seq_length = 5
    Florence2Processor(images, tokenizer).save_pretrained(folder)
    return folder
