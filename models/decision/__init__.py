"""Class, subclass and redshift, from what the networks believe and what chi2 allows."""
