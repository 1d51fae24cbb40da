"""`keras-video evaluate`, from a checkout: `python recipes/evaluate.py --help`."""

import sys

from keras_video.cli.main import main

sys.exit(main(["evaluate", *sys.argv[1:]]))
