"""A scene on one grid: mosaic, radiometry, features, segmentation."""
