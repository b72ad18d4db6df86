"""From messages to a checked graph of layers, without tensors."""
