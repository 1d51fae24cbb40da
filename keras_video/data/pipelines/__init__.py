"""From records to batches: `tf.data` pipelines, and what mixes, blends and serves them."""
