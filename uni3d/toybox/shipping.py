"""Putting a trained teacher into the package: weights, card, and the world it was trained on."""

import json
from typing import Any

from safetensors.torch import load_file

from uni3d.teacher.hub import SHIPPED
from uni3d.toybox import dataset, grammar, model
from uni3d.toybox.known import today, write_known
from uni3d.toybox.state import began_with, parameters_of, state_files

__all__ = ["ship"]


def ship(config: Any, name: str) -> None:
    """Write the averaged weights of a run into the package as the teacher `name`, with their card
    and world.json."""
    folder = SHIPPED[name]
    folder.mkdir(exist_ok=True)
    tokenizer = model.build_tokenizer(config.out / "tokenizer")
    unet, text_encoder, scheduler = model.build_networks(len(tokenizer), config.seed)
    tensors = load_file(state_files(config.out)[0])
    for key, parameter in parameters_of({"unet": unet, "text_encoder": text_encoder}):
        parameter.data.copy_(tensors[f"average/{key}"])
    model.save_folder(folder, unet, text_encoder, tokenizer, scheduler)
    write_known(today(), folder / "world.json")
    state = json.loads(state_files(config.out)[1].read_text())
    count = sum(p.numel() for p in unet.parameters())
    start = began_with(config.out)
    history = _history(start) if start else []
    begin = f" --from-shipped {start}" if start else ""
    command = f"uni3d toybox train{begin} --steps {config.steps}"
    history.append(
        f"  - {state['step']} of {config.steps} steps of {config.batch} pictures (twice that at "
        f"half size, {config.small_share:.0%} of them), AdamW {config.learning_rate}: `{command} "
        f"--shards {config.shards} --renew {config.renew} --seed {config.seed} "
        f"--small-share {config.small_share} --composed-share {config.composed_share} "
        f"{'--bf16 ' if config.bf16 else ''}--ship {name}`"
    )
    lines = "\n".join(history)
    card = f"""# The teacher {name}

A text-to-image diffusion model of a procedural world of {len(grammar.KINDS)} kinds of toys; it
knows nothing else. {count / 1e6:.1f} M parameters, 64x64 pictures, weights in half precision.

- data: shards of {dataset.SHARD} pictures, as many and from the seed that each command names
- trained by these, each going on from the one before (average 0.999; to go on: `--from-shipped`):
{lines}
- what it reaches: docs/toybox.md; `uni3d toybox evaluate --teacher {name}` prints it
- limits: only the canonical captions of its world (world.json); one object on a plain background;
  64x64 pixels
"""
    (folder / "README.md").write_text(card)


def _history(name: str) -> list[str]:
    """What the card of a teacher in the package says of its trainings."""
    card = SHIPPED[name] / "README.md"
    lines = card.read_text().splitlines() if card.exists() else []
    return [line for line in lines if line.startswith("  - ")]
