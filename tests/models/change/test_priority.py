"""How urgently a change is to be looked at."""

from __future__ import annotations

from dataclasses import replace

from spectraq.models.change.priority import INTEREST, priority
from spectraq.models.change.record import KINDS, Change, ChangeReason

REASON = ChangeReason("transient", 5.0, 1e-6, 1.0, None, "", 4000.0, 5000.0, "", "Light came.")
CHANGE = Change(
    changed=True,
    false_positive_rate=1e-6,
    reasons=(REASON,),
    days=1.0,
    spectype="GALAXY",
    z=0.1,
    snr=(10.0, 10.0),
    overlap=3000,
    response=1.0,
    level=None,
    reference="",
    message="",
)


def of(kind: str, rate: float) -> float:
    """The priority of a change with one reason."""
    return priority(replace(CHANGE, reasons=(replace(REASON, kind=kind, false_positive_rate=rate),)))


def test_every_kind_has_an_interest() -> None:
    assert set(INTEREST) == set(KINDS)


def test_surer_and_more_interesting_changes_come_first_and_none_is_beyond_one() -> None:
    assert of("transient", 1e-6) == of("transient", 0.0) == 1.0
    assert of("transient", 0.01) == 0.25
    assert of("transient", 1e-4) > of("transient", 1e-3) > of("redshift_changed", 1e-6) > 0
    both = replace(CHANGE, reasons=(replace(REASON, kind="different_object"), REASON))
    assert priority(both) == 1.0


def test_what_did_not_change_has_none() -> None:
    assert priority(replace(CHANGE, changed=False)) == 0.0
