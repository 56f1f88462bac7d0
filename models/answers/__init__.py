"""What the numbers of a batch say of each spectrum: warnings, error bars, the model, the answer."""
