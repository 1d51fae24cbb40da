"""Sources, samplers and transforms from the data settings of zoo rows."""
