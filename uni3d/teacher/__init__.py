"""The frozen diffusion model, its inputs, and the fake score that shares its network."""
