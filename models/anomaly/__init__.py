"""What in a spectrum the best fit can't explain, how often that happens by chance, and why: `judge.Judge`.

Nothing is imported here: the workers' loop compares a stream with the reference (`group`) without torch.
"""
