"""`keras-video prepare resized`, from a checkout: `python recipes/prepare_resized.py --help`."""

import sys

from keras_video.cli.main import main

sys.exit(main(["prepare", "resized", *sys.argv[1:]]))
