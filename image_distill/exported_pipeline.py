"""A one-step student as a pipeline of diffusers; `export` copies this file beside the weights."""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput
from PIL import Image


class OneStepPipeline(DiffusionPipeline):
    """Images from one evaluation of the network each."""

    def __init__(self, unet: torch.nn.Module) -> None:
        super().__init__()
        self.register_modules(unet=unet)

    @torch.no_grad()
    def __call__(
        self,
        seeds: Sequence[int] = range(16),
        classes: Sequence[int] | None = None,
        batch_size: int = 64,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> ImagePipelineOutput | tuple:
        """One image per seed; each seed has a generator of its own, so batches change nothing.

        Args:
            seeds: one per image.
            classes: one per image; without them each seed draws its own.
            output_type: pil, np ([n, h, w, c] in [0, 1]) or pt ([n, c, h, w] in [0, 1]).
        """
        seeds = list(seeds)
        model, classes = self.unet.model, None if classes is None else list(classes)
        if classes is not None and (len(classes) != len(seeds) or not model.label_dim):
            raise ValueError(
                f"classes: got {len(classes)} for {len(seeds)} seeds and a network of "
                f"{model.label_dim} classes; wanted one per seed; do: leave them out"
            )
        made = []
        progress: Any = self.progress_bar
        with progress(total=len(seeds)) as bar:
            for start in range(0, len(seeds), batch_size):
                part = slice(start, start + batch_size)
                own = None if classes is None else classes[part]
                made.append(self._batch(seeds[part], own).float().cpu())
                bar.update(len(made[-1]))
        tensor = ((torch.cat(made) + 1) / 2).clamp(0, 1)
        images: Any = tensor
        if output_type != "pt":
            images = tensor.permute(0, 2, 3, 1).numpy()
        if output_type == "pil":
            # As published samples are: x * 127.5 + 128, cut off, of x in [-1, 1].
            pixels = (images * 255 + 0.5).clip(0, 255).astype("uint8")
            images = [Image.fromarray(p[..., 0] if p.shape[-1] == 1 else p) for p in pixels]
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def _batch(self, seeds: list[int], classes: list[int] | None) -> torch.Tensor:
        model, sigma = self.unet.model, self.unet.config.init_sigma
        shape = (model.in_channels, model.img_resolution, model.img_resolution)
        sources = [torch.Generator().manual_seed(seed % 2**32) for seed in seeds]
        latents = torch.stack([torch.randn(shape, generator=source) for source in sources])
        labels = None
        if model.label_dim:
            drawn = [int(torch.randint(model.label_dim, (), generator=s)) for s in sources]
            labels = torch.eye(model.label_dim)[drawn if classes is None else classes]
            labels = labels.to(self.device)
        latents = latents.to(self.device, memory_format=torch.channels_last)
        level = latents.new_full((len(seeds),), sigma)
        return self.unet(sigma * latents, level, labels)
