"""Augmentation that keeps picture, 2D, 3D and camera true to each other (docs/augmentation.md)."""

from posezoo.data.augment.augmentation import Augmentation, Augmented
from posezoo.data.augment.spec import CHANGES, parse_augment

__all__ = ["CHANGES", "Augmentation", "Augmented", "parse_augment"]
