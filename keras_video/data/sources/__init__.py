"""Where the frames of an example come from."""
