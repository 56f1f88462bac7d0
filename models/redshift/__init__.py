"""chi2(z): templates of three classes against a spectrum at every lag, and the redshifts that it allows."""
