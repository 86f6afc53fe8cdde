"""What makes z carry something: noise tied to z, and a reader of z.

Every z of a generator that is trained by score distillation alone gives the same object: the
gradient of each picture is averaged over fresh noise, and says nothing of z.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from uni3d.cameras import Cameras

__all__ = ["NoiseReader", "TiedNoise"]

BINS = 8  # azimuths at which the tied noise has a matrix of its own


class TiedNoise:
    """Noise of a picture that is a fixed function of z and of the camera.

    eps = A(camera) z / |z| with a fixed Gaussian matrix: over z it is a unit Gaussian vector, and
    one z follows one path (Diverse Score Distillation, 2412.06780). A blends smoothly around the
    object, so that neighbouring views of one z share most of their noise.
    """

    def __init__(self, noise: int, shape: tuple[int, ...], seed: int = 41) -> None:
        """noise: numbers in z; shape: of one latent picture."""
        generator = torch.Generator().manual_seed(seed)
        self.shape = tuple(shape)
        self.matrices = torch.randn(BINS, math.prod(shape), noise, generator=generator)

    def __call__(self, z: Tensor, cameras: Cameras) -> Tensor:
        """eps `[batch, *shape]` for z `[batch, noise]` seen by as many cameras."""
        place = cameras.azimuth_deg % 360 * (BINS / 360)
        low = place.long() % BINS
        angle = (place - place.floor()) * (math.pi / 2)  # cos^2 + sin^2 = 1 keeps the variance
        direction = functional.normalize(z, dim=1)
        near = torch.bmm(self.matrices[low], direction[:, :, None])[..., 0]
        far = torch.bmm(self.matrices[(low + 1) % BINS], direction[:, :, None])[..., 0]
        eps = angle.cos()[:, None] * near + angle.sin()[:, None] * far
        return eps.reshape(len(z), *self.shape)


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
