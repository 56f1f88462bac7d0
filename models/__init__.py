"""Spectra in, results out: numpy and torch, no streams and no files beyond the package's own weights.

From outside, import `pipeline.Pipeline` (the one door the workers use), `observation` and `answer` (what goes
in and comes out of it), and `simulate.simulate`. A folder is a stage, and knows only those before it: grid ->
redshift -> networks -> decision -> anomaly -> answers; `batch` leads a batch through the first four.
`training` makes the weights that lie in `weights`, and is not needed to run.
"""
