"""Spectra in, results out: numpy and torch, no streams and no files beyond the package's own weights.

From outside, import `models.pipeline.Pipeline` (the one door the workers use), `models.observation` and
`models.answer` (what goes in and comes out of it), and `models.simulate.simulate`. The way through is
grid -> preprocess -> ensemble -> scan -> refine -> decide -> anomaly, one file each; `models.training` makes
the weights that lie in `models/weights` and is not needed to run.
"""
