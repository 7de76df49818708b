"""What others serve over HTTP: images of a catalogue, layers in tiles, published archives."""
