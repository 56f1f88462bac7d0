"""The networks, each with its layout and its file of weights, and the ensemble that they make."""
