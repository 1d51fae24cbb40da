"""`tf.data` pipelines that turn records into batches, and dataset mixing and serving."""
