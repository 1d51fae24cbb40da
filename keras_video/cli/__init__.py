"""The `keras-video` command line. The rest of the library does not import this package."""
