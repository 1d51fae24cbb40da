"""`keras-video check`, from a checkout: `python recipes/check_videos.py --help`."""

import sys

from keras_video.cli.main import main

sys.exit(main(["check", *sys.argv[1:]]))
