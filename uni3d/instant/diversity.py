"""What makes z carry something: noise tied to z, and a reader of z.

Every z of a generator that is trained by score distillation alone gives the same object: the
gradient of each picture is averaged over fresh noise, and says nothing of z.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["NoiseReader", "TiedNoise"]

# Powers (up, across) of the maps; across only even ones, which look alike from all sides.
POWERS = ((0, 0), (1, 0), (0, 2), (2, 0), (1, 2), (3, 0), (0, 4), (2, 2), (4, 0))
WINDOW = 0.5  # standard deviation of the window around the object, in halves of a picture


class TiedNoise:
    """Noise whose low frequencies are numbers of z, the same from all sides; the rest is fresh.

    Around one mode of a Gaussian prior of deviation s, D(x0 + sigma z) = x0 holds at
    x0 = mean + s (s / sigma) z: each z has its own object, and near sigma = s they lie as far apart
    as the prior says (noise paths tied to a seed: Diverse Score Distillation, 2412.06780).
    The first three numbers of z go with the object's colour. The others push its outline: smooth
    maps of up and across, along the colour in which the object differs from its background.
    """

    def __init__(self, noise: int, encode: Callable[[Tensor], Tensor], size: int) -> None:
        """noise: numbers in z, at least 3; encode: pictures of `size` pixels to latents."""
        self.maps = min(len(POWERS), noise - 2)
        assert self.maps >= 1, f"z: got {noise} numbers; wanted at least 3"
        line = torch.linspace(-1, 1, size, dtype=torch.float64)
        up, across = -line[:, None], line[None]
        window = torch.exp(-(up.square() + across.square()) / (2 * WINDOW**2))
        powers = [up**a * across**b * window for a, b in POWERS[: self.maps]]
        flat, _ = torch.linalg.qr(torch.stack(powers).flatten(1).T)
        maps = flat.T.reshape(-1, size, size).float()
        self.window = window.float() / window.sum()
        pictures = torch.einsum("khw,cd->kcdhw", maps / maps.abs().max(), torch.eye(3))
        grey = torch.full((1, 3, size, size), 0.5)
        with torch.no_grad():
            moved = encode(grey + 0.1 * pictures.flatten(0, 1)) - encode(grey)
        basis, triangle = torch.linalg.qr(moved.flatten(1).T.double())
        self.basis = (basis * triangle.diagonal().sign()).T.float()  # [maps * 3, latent numbers]

    def contrast(self, pictures: Tensor, backgrounds: Tensor) -> Tensor:
        """Unit colours `[batch, 3]` in which objects differ from their `backgrounds [batch, 3]`."""
        size = len(self.window)
        pictures = functional.interpolate(pictures.detach(), (size, size), mode="bilinear")
        return functional.normalize((pictures * self.window).sum((2, 3)) - backgrounds, dim=1)

    def __call__(self, fresh: Tensor, z: Tensor, contrast: Tensor) -> Tensor:
        """eps, of the shape of the `fresh` unit noise `[batch, ...]`, for z `[batch, noise]`."""
        basis = self.basis.to(fresh.device)
        z, along = z.to(fresh.device), contrast.to(fresh.device)[:, None]
        old = (fresh.flatten(1) @ basis.T).reshape(len(fresh), self.maps, 3)
        new = old - (old * along).sum(2, keepdim=True) * along
        new = new + z[:, 2 : 2 + self.maps, None] * along
        new[:, 0] = z[:, :3]
        return fresh + ((new - old).flatten(1) @ basis).reshape(fresh.shape)


class NoiseReader(nn.Module):
    """Reads the first `count` numbers of z back from pictures (the bound of InfoGAN, 1606.03657).

    It sees 16 x 16 pixels with noise on them: what it can read must be plain to see.
    """

    blur_noise = 0.1

    def __init__(self, count: int, seed: int) -> None:
        super().__init__()
        self.count = count
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Conv2d(3, 32, 3, stride=2, padding=1),
                nn.SiLU(),
                nn.Conv2d(32, 64, 3, stride=2, padding=1),
                nn.SiLU(),
                nn.Flatten(),
                nn.Linear(1024, 64),
                nn.SiLU(),
                nn.Linear(64, count),
            )

    def error(self, pictures: Tensor, z: Tensor, generator: torch.Generator) -> Tensor:
        """Mean squared error of what is read from pictures `[batch, 3, h, w]`; about 1 is blind."""
        small = functional.adaptive_avg_pool2d(pictures, 16)
        noise = torch.randn(small.shape, generator=generator).to(small.device)
        read = self.layers((small + self.blur_noise * noise) * 2 - 1)
        return (read - z[:, : self.count]).square().mean()
