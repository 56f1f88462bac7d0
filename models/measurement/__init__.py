"""What a spectrum says of its object at the decided class and redshift: lines, indices, and what follows.

`instrument`, `target`, `rest_frame`, `line_groups`, `populations` (what is known beforehand) > `samples`,
`line_profiles` > `ground` > `line_blocks` > `line_point` > `line_fit` (fluxes, widths and offsets on any
continuum); `paired_fit` > `stellar_continuum`, `quasar_continuum` > `galaxy_lines`, `quasar_lines` >
`solutions` (both together) > `line_records`, `indices`, `galaxies`, `quasars` (what they mean) > `measure` >
`batch`.
"""
