"""Colours of trim that several kinds share; the main colour of a toy is the builder's."""

__all__ = ["GOLD", "SILVER", "WOOD"]

GOLD = (0.93, 0.74, 0.22)
SILVER = (0.72, 0.73, 0.76)
WOOD = (0.52, 0.31, 0.14)
