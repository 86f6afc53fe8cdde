"""The frozen diffusion model, what it is told, and the fake score that shares its network."""
