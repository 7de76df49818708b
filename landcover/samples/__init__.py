"""Samples: spatial blocks, splits, drawing, the table, chips, augmentation."""
