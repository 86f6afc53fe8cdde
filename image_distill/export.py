"""A student as a folder in the layout of diffusers, which needs nothing of this package.

model_index.json  image_distill_pipeline.py  README.md
unet/config.json  unet/diffusion_pytorch_model.safetensors  unet/*.py (the network)
"""

import json
import re
from pathlib import Path

from image_distill.runfolder import RECIPE
from image_distill.teachers import DESCRIPTION, load_denoiser, read_description
from uni3d import config_io
from uni3d.errors import CheckpointError, ConfigError, ExportError
from uni3d.storage.whole import replace_all, temporary_names

__all__ = ["export"]

# Name in the folder -> module of this package; diffusers loads them by these names.
_SOURCES = {
    "image_distill_pipeline.py": "exported_pipeline",
    "unet/image_distill_unet.py": "exported_unet",
    "unet/image_distill_networks.py": "networks",
    "unet/image_distill_edm2.py": "edm2",
}
_WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
_CARD = """---
library_name: diffusers
tags: [one-step, uni-instruct]
---
A one-step generator, distilled from a diffusion model ({source}).

```python
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained("{name}", trust_remote_code=True)
for i, image in enumerate(pipe(seeds=range(16)).images):
    image.save(f"{{i}}.png")
```

`trust_remote_code` is needed because the network comes with the folder: four Python files, which
you can read. If the teacher's weights are under CC BY-NC-SA, so probably are these.
"""


def _network_of(run: Path) -> Path:
    """The folder of a network: the run's best or last, or `run` itself."""
    for folder in (run, run / "best", run / "last"):
        if (folder / DESCRIPTION).is_file():
            return folder
    raise CheckpointError(
        f"{run}: got no network ({DESCRIPTION}), nor best or last; wanted a run's folder or a "
        "network's; do: check the path"
    )


def _source(module: str) -> str:
    """A module of this package whose imports of the others are relative."""
    text = (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
    return re.sub(r"from image_distill\.(\w+) import", r"from .image_distill_\1 import", text)


def export(run: str | Path, out: str | Path, init_sigma: float | None = None) -> Path:
    """Writes the student in `run` to `out`; the network that was written.

    Args:
        run: a run of `image-distill train` (its best network, or its last), or a network's folder.
        init_sigma: the level it is called at; that of the run's recipe, or 2.5, unless given.

    Raises:
        CheckpointError: no network there. ConfigError: `out` holds something else.
    """
    from diffusers import __version__
    from safetensors.torch import save_file

    out, folder = Path(out), _network_of(Path(run))
    if out.exists() and any(out.iterdir()) and not (out / "model_index.json").is_file():
        raise ConfigError(
            f"{out}: got a folder with other files; wanted a new one; do: choose another"
        )
    if init_sigma is None:
        recipe = folder.parent / RECIPE
        init_sigma = config_io.read_yaml(recipe).get("init_sigma", 2.5) if recipe.is_file() else 2.5
    denoiser, described = load_denoiser(folder), read_description(folder)
    config = {
        "_class_name": "OneStepUNet",
        "_diffusers_version": __version__,
        "network": described["network"],
        "arguments": described["init_kwargs"],
        "preconditioning": described["preconditioning"],
        "options": described["precond_kwargs"],
        "init_sigma": init_sigma,
    }
    index = {
        "_class_name": ["image_distill_pipeline", "OneStepPipeline"],
        "_diffusers_version": __version__,
        "unet": ["image_distill_unet", "OneStepUNet"],
    }
    card = _CARD.format(source=described.get("source", "unknown"), name=out.name)
    texts = {name: _source(module) for name, module in _SOURCES.items()}
    texts |= {
        "unet/config.json": json.dumps(config, indent=2) + "\n",
        "README.md": card,
        "model_index.json": json.dumps(index, indent=2) + "\n",
    }
    try:
        with temporary_names([out / _WEIGHTS]) as (partial,):
            weights = {name: value.contiguous() for name, value in denoiser.state_dict().items()}
            save_file(weights, partial, metadata={"format": "pt"})
        replace_all({out / name: text.encode() for name, text in texts.items()})
    except ExportError as error:
        raise CheckpointError(f"{out}: cannot be written: {error}; do: another folder") from error
    return folder
