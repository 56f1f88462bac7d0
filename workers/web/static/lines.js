// Lines that people know by name: vacuum wavelengths at rest in angstrom, and what the night sky adds.

export const EMISSION = [
  ["Lyα", 1215.67], ["N V", 1240.81], ["Si IV", 1397.61], ["C IV", 1549.48], ["He II", 1640.42], ["C III]", 1908.73],
  ["C II]", 2326.0], ["Mg II", 2799.12], ["[Ne V]", 3426.84], ["[O II]", 3728.48], ["[Ne III]", 3869.86], ["Hδ", 4102.89],
  ["Hγ", 4341.68], ["[O III]", 4364.44], ["He II", 4687.02], ["Hβ", 4862.68], ["[O III]", 4960.3], ["[O III]", 5008.24],
  ["He I", 5877.25], ["[O I]", 6302.05], ["[N II]", 6549.85], ["Hα", 6564.61], ["[N II]", 6585.27], ["[S II]", 6718.29],
  ["[S II]", 6732.67], ["[Ar III]", 7137.77], ["[S III]", 9071.1], ["[S III]", 9533.2],
];

export const ABSORPTION = [
  ["Fe II", 2600.17], ["Ca K", 3934.78], ["Ca H", 3969.59], ["G band", 4305.61], ["Mg b", 5176.63], ["Na D", 5895.6],
  ["CaH", 6385.0], ["TiO", 7055.0], ["Ca II", 8500.36], ["Ca II", 8544.44], ["Ca II", 8664.52],
];

// Airglow and telluric absorption, observed frame, vacuum.
export const AIRGLOW = [[5575, 5583], [5889, 5900], [6298, 6305], [6361, 6368]];
export const TELLURIC = [["B", 6865, 6950], ["H₂O", 7165, 7340], ["A", 7593, 7700], ["H₂O", 8130, 8350], ["H₂O", 8940, 9240], ["H₂O", 9300, 9700]];
