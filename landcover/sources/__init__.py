"""What a person brings: products, band files, images, EuroSAT, BigEarthNet, synthetic land."""
