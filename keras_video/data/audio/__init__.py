"""Audio: decoding, spectrograms, and sources of them."""
