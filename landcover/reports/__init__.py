"""Reports: accuracy, areas, comparison, figures, pages, STAC items."""
