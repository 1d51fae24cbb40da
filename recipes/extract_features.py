"""`keras-video features`, from a checkout: `python recipes/extract_features.py --help`."""

import sys

from keras_video.cli.main import main

sys.exit(main(["features", *sys.argv[1:]]))
