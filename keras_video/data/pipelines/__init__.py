"""From records to batches: `tf.data` pipelines, and what mixes, mixes and serves them."""
