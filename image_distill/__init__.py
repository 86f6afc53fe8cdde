"""One-step image generators with the loss core of uni3d."""
