"""Sound: decoding, spectrograms, and sources of them."""
