"""What a zoo row says of its data, as sources, samplers and transforms."""
