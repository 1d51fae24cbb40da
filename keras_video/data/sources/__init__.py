"""Sources: readers of the frames of an example."""
