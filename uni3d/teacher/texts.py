"""From a prompt to what a U-Net reads: the text encoders of a folder in diffusers layout.

What comes out is one tensor `[n, tokens, width]` per list of prompts, whatever the encoders, so
that prompts can be mixed, cached and repeated without knowing them. Where the U-Net also takes a
pooled vector (two CLIP encoders), that is the last token, padded with zeros.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

from uni3d.errors import MissingExtraError, PromptError, TeacherError
from uni3d.storage.checkpoint import finite
from uni3d.teacher.hub import read_index

__all__ = ["TextEncoder", "TextReader", "load_network", "load_part", "text_reader"]

# More weights than this are kept in bfloat16: float32 would not fit most machines' memory.
LARGE_BYTES = 6 * 2**30


@dataclasses.dataclass(frozen=True)
class _Encoder:
    """One text encoder: its class and tokenizer's in transformers, and how it is asked."""

    model: str
    tokenizers: tuple[str, ...]
    encode: Callable[[Any, Any], Any]  # (model, tokens) -> transformers' output
    context: int | None = None  # tokens; None: the tokenizer's own
    clean: Callable[[str], str] = str


def _clip(model: Any, tokens: Any) -> Any:
    return model(tokens.input_ids, output_hidden_states=True)


def _masked(model: Any, tokens: Any) -> Any:
    return model(tokens.input_ids, attention_mask=tokens.attention_mask)


# Only these classes are ever made, whatever a folder's index says.
ENCODERS: Mapping[str, _Encoder] = {
    encoder.model: encoder
    for encoder in (
        _Encoder("CLIPTextModel", ("CLIPTokenizer", "CLIPTokenizerFast"), _clip),
        _Encoder("CLIPTextModelWithProjection", ("CLIPTokenizer", "CLIPTokenizerFast"), _clip),
        # T5 has no length of its own; 77 is what pixel-space DeepFloyd was trained with.
        _Encoder(
            "T5EncoderModel",
            ("T5Tokenizer", "T5TokenizerFast"),
            _masked,
            77,
            lambda text: text.lower().strip(),
        ),
    )
}


def load_part(folder: Path, name: str, loader: Any, **options: Any) -> Any:
    """`loader.from_pretrained` of one part; any failure is a TeacherError of one line."""
    if not (folder / name).is_dir():
        raise TeacherError(f"{folder / name}: there is no such folder; do: fetch the teacher again")
    try:
        return loader.from_pretrained(folder / name, local_files_only=True, **options)
    except Exception as error:  # the libraries raise whatever their parsers happen to raise
        line = " ".join(str(error).split())[:300] or type(error).__name__
        raise TeacherError(
            f"{folder / name}: cannot be loaded ({line}); do: fetch this part again"
        ) from error


def load_network(folder: Path, name: str, loader: Any, **options: Any) -> Any:
    """`load_part` of a network, frozen; a weight that its file lacks is an error, not random."""
    network, found = load_part(folder, name, loader, output_loading_info=True, **options)
    missing = sorted(found["missing_keys"])
    if missing:
        raise TeacherError(
            f"{folder / name}: {len(missing)} weights are missing from its file ({missing[0]} and "
            "so on); do: fetch this part again"
        )
    if not finite(network.state_dict()):
        raise TeacherError(
            f"{folder / name}: its weights hold numbers that are not finite; do: fetch this part "
            "again"
        )
    network.requires_grad_(False).eval()
    for parameter in network.parameters():
        # Tensors read from a file may lie at any address, and sums can depend on that.
        parameter.data = parameter.data.clone()
    return network


def _load_tokenizer(folder: Path, name: str, kind: str) -> Any:
    import transformers

    files = folder / name
    if (files / "spiece.model").is_file() and not (files / "tokenizer.json").is_file():
        try:
            import google.protobuf  # noqa: F401
            import sentencepiece  # type: ignore[import-not-found]  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("sentencepiece with protobuf", "t5") from error
    return load_part(folder, name, getattr(transformers, kind))


class TextEncoder(Protocol):
    """Texts to features `[n, tokens, width]`, float32; `free` gives its memory back."""

    def __call__(self, prompts: list[str]) -> Tensor: ...

    def free(self) -> None: ...


class TextReader:
    """The text encoders of a folder; loaded when first asked, dropped by `free`."""

    def __init__(
        self, folder: Path, encoders: list[tuple[str, _Encoder, str]], zeros: bool, variant: str
    ) -> None:
        """encoders: (suffix of the part's name, encoder, tokenizer class); see `text_reader`."""
        self._folder, self._encoders, self._variant = folder, encoders, variant
        self._zero_when_empty = zeros
        self._loaded: list[tuple[Any, Any]] = []

    def _load(self) -> None:
        import transformers

        transformers.logging.disable_progress_bar()
        for suffix, encoder, tokenizer in self._encoders:
            name = f"text_encoder{suffix}"
            size = sum(p.stat().st_size for p in (self._folder / name).glob("*") if p.is_file())
            dtype = torch.bfloat16 if size > LARGE_BYTES else torch.float32
            options = {"variant": self._variant} if self._variant else {}
            model = load_network(
                self._folder, name, getattr(transformers, encoder.model), dtype=dtype, **options
            )
            tokens = _load_tokenizer(self._folder, f"tokenizer{suffix}", tokenizer)
            if len(tokens) < 0.9 * model.config.vocab_size:
                raise TeacherError(
                    f"{self._folder}/tokenizer{suffix}: has {len(tokens)} words, its encoder "
                    f"{model.config.vocab_size}; do: fetch the tokenizer's files again"
                )
            self._loaded.append((tokens, model))

    def free(self) -> None:
        """Give the encoders' memory back; asking again loads them again."""
        self._loaded = []

    @torch.no_grad()
    def __call__(self, prompts: list[str]) -> Tensor:
        """Text features `[n, tokens, width]`, float32, on the CPU.

        Raises PromptError for a text longer than the encoder's context: what does not fit would
        be cut off silently, and view words stand at the end.
        """
        if not self._loaded:
            self._load()
        outputs = [
            encoder.encode(model, self._tokens(tokens, encoder, prompts))
            for (_, encoder, _), (tokens, model) in zip(self._encoders, self._loaded, strict=True)
        ]
        if len(outputs) == 1:
            features = outputs[0].last_hidden_state
        else:
            # Two CLIPs: the last but one layer of both, and the second one's pooled vector.
            features = torch.cat([out.hidden_states[-2] for out in outputs], dim=-1)
            pooled = outputs[1].text_embeds
            token = pad(pooled, (0, features.shape[-1] - pooled.shape[-1]))
            features = torch.cat([features, token[:, None]], dim=1)
        if self._zero_when_empty:
            features[[not text.strip() for text in prompts]] = 0
        return features.float()

    def _tokens(self, tokenizer: Any, encoder: _Encoder, prompts: list[str]) -> Any:
        longest = min(tokenizer.model_max_length, encoder.context or tokenizer.model_max_length)
        texts = [encoder.clean(text) for text in prompts]
        for text in texts:
            count = len(tokenizer(text, truncation=False, verbose=False).input_ids)
            if count > longest:
                raise PromptError(
                    f"the text {text[:40] + '...'!r} has {count} tokens; wanted at most "
                    f"{longest}, which is all that this teacher reads; do: shorten it"
                )
        return tokenizer(
            texts, padding="max_length", truncation=True, max_length=longest, return_tensors="pt"
        )


def text_reader(folder: Path, variant: str = "") -> TextReader:
    """The reader of a folder's text encoders, after its model_index.json; nothing is loaded yet.

    Raises TeacherError when an encoder is missing or of a kind that is not known.
    """
    index = read_index(folder)
    encoders = []
    for suffix in ("", "_2"):
        model = (index.get(f"text_encoder{suffix}") or [None, None])[1]
        if model is None:
            continue
        encoder = ENCODERS.get(model)
        tokenizer = (index.get(f"tokenizer{suffix}") or [None, None])[1]
        if encoder is None or tokenizer not in encoder.tokenizers:
            raise TeacherError(
                f"{folder}: its text encoder is {model} with {tokenizer}; wanted one of "
                f"{', '.join(ENCODERS)} with its tokenizer; do: use another teacher"
            )
        for name in (f"text_encoder{suffix}", f"tokenizer{suffix}"):
            if not (folder / name).is_dir():
                raise TeacherError(f"{folder / name}: is missing; do: fetch the teacher again")
        encoders.append((suffix, encoder, tokenizer))
    if not encoders or encoders[0][0]:
        raise TeacherError(f"{folder}: has no text encoder; do: use another teacher")
    return TextReader(folder, encoders, bool(index.get("force_zeros_for_empty_prompt")), variant)
