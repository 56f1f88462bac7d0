import numpy as np
import pytest
import torch

from spectraq.models.classes import CLASS_OF_SUBCLASS, CLASSES, SUBCLASSES
from spectraq.models.grid import axis
from spectraq.models.training import material
from spectraq.models.training.mocks import MockSky, galaxies, lines, quasars, stars, telescope
from spectraq.models.training.mocks.rest import redshifted

N = 300


@pytest.fixture(scope="module")
def families(shared_data):
    return {family.name: family for family in material.load(shared_data)}


@pytest.fixture(scope="module")
def sky(shared_data):
    return material.sky_lines(shared_data)


@pytest.fixture(scope="module")
def batch(families, noise_shapes, sky):
    return MockSky(list(families.values()), noise_shapes, sky, seed=1).batch(N)


def test_the_same_seed_gives_the_same_mocks(families, noise_shapes, sky, batch):
    again = MockSky(list(families.values()), noise_shapes, sky, seed=1).batch(N)
    assert torch.equal(batch.flux, again.flux)
    assert np.array_equal(batch.z, again.z)


def test_another_seed_gives_others(families, noise_shapes, sky, batch):
    other = MockSky(list(families.values()), noise_shapes, sky, seed=2).batch(N)
    assert not np.array_equal(batch.z[:100], other.z[:100])


def test_every_mock_is_usable(batch):
    assert torch.isfinite(batch.flux).all() and torch.isfinite(batch.ivar).all()
    assert (batch.ivar >= 0).all()
    assert ((batch.ivar > 0).sum(1) >= telescope.MIN_GOOD_PIXELS).all()
    assert not batch.flux[batch.ivar == 0].any()


def test_every_mock_may_be_something_of_its_own_class_and_nothing_else(batch):
    of = np.array(CLASS_OF_SUBCLASS)
    assert batch.allowed.any(1).all()
    for spectype, allowed in zip(batch.spectype, batch.allowed, strict=True):
        assert set(of[allowed]) == {CLASSES.index(spectype)}


def test_all_classes_and_surveys_are_drawn_with_their_ranges_of_redshift(batch):
    assert set(batch.spectype) == set(CLASSES)
    assert set(batch.survey) == {"sdss", "boss", "lamost", "desi", "smoothed", "short"}
    star, galaxy, quasar = (batch.z[batch.spectype == name] for name in CLASSES)
    assert np.abs(star).max() <= stars.MAX_Z
    assert galaxy.max() <= galaxies.MAX_Z and np.median(galaxy) < 1
    assert quasar.min() >= quasars.MIN_Z and 4.5 < quasar.max() <= quasars.MAX_Z


def test_short_spectra_are_among_them(batch):
    assert ((batch.ivar > 0).sum(1) < 1200).any()


def test_the_ivar_tells_the_noise_in_a_clean_mock(families, noise_shapes, sky):
    mocks = MockSky(list(families.values()), noise_shapes, sky, seed=3, clean=True).batch(N)
    rows = torch.from_numpy((mocks.survey == "sdss") & (mocks.snr < 4))
    flux, ivar = mocks.flux[rows], mocks.ivar[rows]
    both = (ivar[:, 1:] > 0) & (ivar[:, :-1] > 0)
    # Neighbours differ by noise alone where the S/N is low: sqrt(2) sigma.
    difference = (flux[:, 1:] - flux[:, :-1]) * (ivar[:, 1:].rsqrt().square() * 2).rsqrt()
    scatter = 1.4826 * difference[both].abs().median()
    assert float(scatter) == pytest.approx(1.0, abs=0.1)


def test_the_median_snr_is_the_one_drawn(families, noise_shapes, sky):
    mocks = MockSky(list(families.values()), noise_shapes, sky, seed=4, clean=True).batch(N)
    rows = np.flatnonzero((mocks.survey == "boss") & (mocks.snr > 10))
    for row in rows[:20]:
        used = mocks.ivar[row] > 0
        snr = float((mocks.flux[row].abs() * mocks.ivar[row].sqrt())[used].median())
        assert snr == pytest.approx(mocks.snr[row], rel=0.35)


@pytest.mark.parametrize("name", ["galaxy_archetype", "galaxy_sdss", "galaxy_gasnet3"])
def test_galaxy_families_agree_where_their_lines_lie(families, name):
    """The zero points of the libraries differ; here Ca II K and H are where they belong in all."""
    family = families[name]
    flux, _ = family.draw(400, np.random.default_rng(5))
    mean = flux.mean(0)
    for wavelength in (3934.78, 3969.59):
        centre = (np.log10(wavelength) - axis.LOGLAM0) / axis.DLOGLAM - family.first_pixel
        near = slice(round(centre) - 12, round(centre) + 13)
        depth = mean[near].max() - mean[near]
        core = depth > 0.5 * depth.max()
        found = np.average(np.arange(near.start, near.stop)[core], weights=depth[core])
        assert found == pytest.approx(centre, abs=2.5)


def test_a_redshift_moves_a_line_by_its_pixels():
    flux = torch.zeros(2, 3000)
    flux[:, 1000] = 1
    z = np.array([0.0, 10 ** (250.25 * axis.DLOGLAM) - 1])
    observed, covered = redshifted(flux + 1, first_pixel=500, z=z)
    assert int(observed[0].argmax()) == 1500
    assert float(observed[1, 1750]) == pytest.approx(1.75) and float(observed[1, 1751]) == pytest.approx(1.25)
    assert not covered[0, :499].any() and covered[0, 501:3499].all()


def test_painted_lines_have_the_equivalent_width_asked_for():
    first, n_pixels = -4000, 8000
    widths = np.zeros((1, len(lines.LINES)))
    widths[0, list(lines.LINES).index("Halpha")] = 40.0
    flux = lines.paint(torch.full((1, n_pixels), 2.0), first, widths, torch.tensor([1.5]))
    wavelength = 10 ** (axis.LOGLAM0 + axis.DLOGLAM * (first + np.arange(n_pixels)))
    excess = (flux[0].numpy() - 2) / 2
    assert (excess * wavelength * axis.DLOGLAM * np.log(10)).sum() == pytest.approx(40, rel=0.01)
    assert np.average(wavelength, weights=excess) == pytest.approx(6564.61, abs=0.1)


def test_star_formers_lie_below_kauffmanns_line_and_are_told_by_their_width():
    rng = np.random.default_rng(6)
    kind = np.repeat([lines.STARFORMING, lines.STARBURST], 500)
    widths, halpha = lines.draw_strengths(kind, rng)
    column = {name: widths[:, index] for index, name in enumerate(lines.LINES)}
    nii = np.log10(column["NII_6585"] / column["Halpha"])
    oiii = np.log10(column["OIII_5008"] / column["Hbeta"])
    assert (oiii < 0.61 / (nii - 0.05) + 1.3).all()
    assert (halpha[:500] < lines.STARBURST_EW).all() and (halpha[500:] > lines.STARBURST_EW).all()


def test_labelled_spectra_are_left_out_of_the_material_by_their_identity(shared_data, families):
    assert "7680-58131-0771" in material.labelled_spectra(shared_data)
    table = ("IWG8V3_Encoder_SDSS_GALAXY.fits",)
    one_less = material.galaxies.gasnet3(shared_data, "GALAXY", table, {"1188-52650-0282"}, 3e-4)
    assert len(one_less.coefficients) == len(families["galaxy_gasnet3"].coefficients) - 1


def test_missing_material_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="templates: no such folder; give the folder of templates"):
        material.load(tmp_path)


def test_every_subclass_has_material(families):
    drawn = {label for family in families.values() if family.spectype == "STAR" for label in family.labels}
    assert set(SUBCLASSES[:11]) <= drawn
