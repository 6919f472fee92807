"""Transport: speed against peers, share of a training step, accuracy, growth with size, warm starts."""
