"""The final fit, at the decided class and redshift: as many parameters as a spectrum's S/N pays for.

`shapes` (what may be added to the best fit) > `pixels` (where it is fitted) > `smooth`, `narrow_lines`,
`broad_lines` (the shapes of one spectrum) > `design` (all of them, and their sums) > `prior_strengths` (how
strongly, by evidence) > `absorption` (what gas takes from a quasar, by `gaussian_chain`) > `fit`.
"""
