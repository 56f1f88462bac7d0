"""Which spectra of an object are kept, and with which a newer one is compared."""

from __future__ import annotations

from typing import Any

from spectraq.workers.contract.object_choice import Remembered, kept, predecessor

RADIUS = 1.5


def one(name: str, **fields: Any) -> Remembered:
    """A remembered spectrum."""
    given: dict[str, Any] = {
        "object": "sdss:1",
        "name": name,
        "spectrum_id": name,
        "spectrum_digest": name,
        "survey": "sdss",
        "snr": 10.0,
        "mjd": 50000.0 + ord(name[-1]),
    }
    return Remembered(**given | fields)


NEWER = one("z")


def chosen(*known: Remembered, newer: Remembered = NEWER, since: int = 100) -> str | None:
    """The name of what is compared, where each was remembered in turn."""
    found = predecessor(newer, since, list(enumerate(known)), RADIUS)
    return found and found.name


def test_the_best_of_the_same_survey_is_compared_and_beyond_enough_the_latest() -> None:
    assert chosen(one("a"), one("b", snr=15.0), one("c", snr=5.0)) == "b"
    assert chosen(one("a", snr=100.0), one("b", snr=30.0)) == "b"
    assert chosen(one("a", survey="desi", snr=12.0), one("b")) == "b"
    assert chosen(one("a", survey="desi", snr=20.0), one("b")) == "a"
    assert chosen() is None


def test_nothing_is_compared_with_itself_or_with_its_own_exposure() -> None:
    for same in (
        one("a", spectrum_id="z"),
        one("a", spectrum_digest="z"),
        one("a", mjd=NEWER.mjd),
    ):
        assert chosen(same) is None
    exposed = one("z", exposure="e1")
    assert chosen(one("a", exposure="e1"), newer=exposed) is None
    assert chosen(one("a", exposure="e1", survey="desi"), newer=exposed) == "a"
    assert chosen(one("a", mjd=NEWER.mjd, survey="desi")) == "a"


def test_what_was_remembered_later_is_no_predecessor() -> None:
    assert chosen(one("a"), since=0) == "a"  # at one moment the names decide
    known = [(200, one("a")), (50, one("b", snr=1.0))]
    found = predecessor(NEWER, 100, known, RADIUS)
    assert found is not None and found.name == "b"


def test_names_are_believed_within_three_arcsec_and_positions_within_the_radius() -> None:
    placed = one("z", ra=10.0, dec=0.0)
    near = {"ra": 10.0 + 2.5 / 3600, "dec": 0.0}
    assert chosen(one("a", **near), newer=placed) == "a"
    assert chosen(one("a", ra=10.0 + 3.5 / 3600, dec=0.0), newer=placed) is None
    assert chosen(one("a", **near, object="desi:2"), newer=placed) is None
    assert chosen(one("a", ra=10.0 + 1.0 / 3600, dec=0.0, object="desi:2"), newer=placed) == "a"
    assert chosen(one("a", object="desi:2"), newer=placed) is None


def test_the_best_of_each_survey_is_kept_first_then_the_best() -> None:
    known = [(i, one(name, snr=snr)) for i, (name, snr) in enumerate((("a", 5.0), ("b", 9.0), ("c", 7.0)))]
    known.append((9, one("d", survey="desi", snr=1.0)))
    assert [name for name in "abcd" if name in {s.name for _, s in kept(known, 3)}] == ["b", "c", "d"]
    assert {s.name for _, s in kept(known, 1)} == {"b"}
    assert kept(known[:2], 3) == [known[1], known[0]]
