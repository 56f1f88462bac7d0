"""The final fit, at the decided class and redshift: as many parameters as a spectrum's S/N pays for.

`shapes` (what may be added to the best fit) > `prior_strengths` (how strongly, by evidence) > `fit`.
"""
