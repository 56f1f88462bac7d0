"""What a spectrum says of its object at the decided class and redshift: lines, indices, and what follows.

`populations`, `instrument`, `line_groups`, `target` (what is known beforehand) > `line_fit` (fluxes, widths
and offsets on any continuum) > `stellar_continuum`, `quasar_continuum` > `galaxy_lines`, `quasar_lines` >
`solutions` (both together) > `line_records`, `indices`, `galaxies`, `quasars` (what they mean) > `measure` >
`batch`.
"""
