"""The command line `keras-video`. The library imports nothing from here."""
