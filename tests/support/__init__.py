"""What tests of several folders, and some benchmarks, share."""
