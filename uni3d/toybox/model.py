"""The toybox teacher's networks, in the folder layout of a diffusers pipeline.

U-Net over space-to-depth pixels (64x64 RGB as 48 channels of 16x16), cross-attending to a small
CLIP text model, with pooled text and the camera added to the time embedding.
"""

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from uni3d.toybox.grammar import corpus

__all__ = [
    "FACTOR",
    "IMAGE_SIZE",
    "build_networks",
    "build_tokenizer",
    "grow_embedding",
    "grow_tokenizer",
    "save_folder",
]

IMAGE_SIZE = 64
FACTOR = 4  # space-to-depth block: lossless, and 4x cheaper than 2 at equal width
CONTEXT = 24  # tokens
TEXT_WIDTH = 128

UNET = {
    "sample_size": IMAGE_SIZE // FACTOR,
    "in_channels": 3 * FACTOR**2,
    "out_channels": 3 * FACTOR**2,
    "block_out_channels": (64, 112, 160),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": 4,
    "cross_attention_dim": TEXT_WIDTH,
    "norm_num_groups": 16,
    "resnet_time_scale_shift": "scale_shift",
    "class_embed_type": "projection",
    "projection_class_embeddings_input_dim": 4,
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 8,
}


def build_tokenizer(folder: Path) -> Any:
    """A CLIP byte-pair tokenizer in which every word of the grammar is one token.

    The one that `folder` holds is taken: weights are of no use with other token numbers.
    """
    from transformers import CLIPTokenizer

    if not (folder / "merges.txt").exists():
        _train_tokenizer(folder)
    vocab = json.loads((folder / "vocab.json").read_text())
    lines = (folder / "merges.txt").read_text().splitlines()
    merges: Any = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#")]
    return CLIPTokenizer(
        vocab=vocab, merges=merges, model_max_length=CONTEXT, unk_token="<|endoftext|>"
    )


def _train_tokenizer(folder: Path) -> None:
    """Write vocab.json and merges.txt; the same bytes every time."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Whitespace(),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("0123456789,.!?'-")
    trainer = trainers.BpeTrainer(
        vocab_size=8000,
        show_progress=False,
        end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        # The trainer numbers last letters in the order of a randomly seeded hash map (and that
        # decides ties between merges) unless they are named here.
        special_tokens=["<|startoftext|>", "<|endoftext|>", *(f"{c}</w>" for c in alphabet)],
    )
    tokenizer.train_from_iterator([*corpus() * 3, *alphabet], trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.model.save(str(folder))


def adopt_tokenizer(source: Path, folder: Path) -> None:
    """Make the tokenizer that `save_folder` wrote into `source` the one that `folder` holds."""
    model = json.loads((source / "tokenizer.json").read_text())["model"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    lines = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *lines]) + "\n")


def grow_tokenizer(folder: Path, words: Iterable[str]) -> list[str]:
    """Make each of `words` one token of the tokenizer in `folder`; returns those that were not.

    New tokens are numbered after the old ones, and their merges come after the old merges: byte
    pair encoding takes the earliest merge first, so every word that was whole stays what it was.
    A word of n pieces takes up to n - 1 new tokens, as every merge makes one.
    """
    vocab = json.loads((folder / "vocab.json").read_text())
    lines = (folder / "merges.txt").read_text().splitlines()
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#")]
    rank = {pair: i for i, pair in enumerate(merges)}
    grown = []
    for word in words:
        pieces = _merged(word, rank)
        if len(pieces) > 1:
            grown.append(word)
        while len(pieces) > 1:
            pair = (pieces[0], pieces[1])
            rank[pair] = len(rank)
            vocab.setdefault("".join(pair), len(vocab))
            pieces = _merged(word, rank)
    if grown:
        (folder / "vocab.json").write_text(json.dumps(vocab))
        text = [" ".join(pair) for pair in rank]
        (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *text]) + "\n")
    return grown


def _merged(word: str, rank: dict[tuple[str, ...], int]) -> list[str]:
    """The pieces of a word under byte pair encoding: the earliest merge first."""
    pieces = [*word[:-1], word[-1] + "</w>"]
    while len(pieces) > 1:
        pairs = [(rank.get(pair, len(rank)), i) for i, pair in enumerate(pairwise(pieces))]
        best, i = min(pairs)
        if best == len(rank):
            break
        pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]
    return pieces


def grow_embedding(old: Tensor, rows: int, seed: int = 0) -> Tensor:
    """A token embedding `[vocabulary, width]` with more rows: the old ones, then random ones of
    their mean and spread."""
    generator = torch.Generator().manual_seed(seed)
    fresh = torch.randn(rows, old.shape[1], generator=generator) * old.std(0) + old.mean(0)
    fresh[: len(old)] = old
    return fresh


def build_networks(vocabulary_size: int, seed: int) -> tuple[Any, Any, Any]:
    """(U-Net, text encoder, DDPM scheduler), freshly initialised from the seed."""
    from diffusers import DDPMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = UNet2DConditionModel(**UNET)
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=vocabulary_size,
                hidden_size=TEXT_WIDTH,
                intermediate_size=2 * TEXT_WIDTH,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=CONTEXT,
                bos_token_id=0,
                eos_token_id=1,
                pad_token_id=1,
            )
        )
    scheduler = DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        # The clean image, not v: 48-channel patches leave a narrow network no room to carry the
        # noise through to the output, and it need not.
        prediction_type="sample",
        clip_sample=False,
    )
    return unet, text_encoder, scheduler


def save_folder(folder: Path, unet: Any, text_encoder: Any, tokenizer: Any, scheduler: Any) -> None:
    """Write the diffusers layout, networks as fp16 safetensors."""
    unet.half().save_pretrained(folder / "unet")
    text_encoder.half().save_pretrained(folder / "text_encoder")
    tokenizer.save_pretrained(folder / "tokenizer")
    scheduler.save_pretrained(folder / "scheduler")
    (folder / "codec").mkdir(exist_ok=True)
    codec = {"type": "space_to_depth", "factor": FACTOR, "image_size": IMAGE_SIZE}
    (folder / "codec" / "config.json").write_text(json.dumps(codec, indent=2) + "\n")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDPMScheduler"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
