"""`spectraq compare`: what changed between two spectra of one object, without Kafka or Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spectraq.workers.cli.common_options import Config, Weights
from spectraq.workers.cli.reading_options import Air, Files, Format, WavelengthUnit, spectra
from spectraq.workers.cli.terminal import print_json, print_line, print_note

if TYPE_CHECKING:
    from spectraq.models.change.record import Change
    from spectraq.schemas.spectrum import Spectrum

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object: the Change.")]


def compare(
    files: Files,
    as_json: AsJson = False,
    format: Format = None,
    air: Air = False,
    wavelength_unit: WavelengthUnit = None,
    weights: Weights = None,
    config: Config = None,
) -> None:
    """Say what changed between two spectra of one object: the earlier file first, or one file with both.

    A smooth response and a scale are no change: fibres lose light, and calibrations differ.

    Example: `spectraq compare 2003.fits 2021.fits`
    """
    from spectraq.workers.files import compare_spectra
    from spectraq.workers.inference import load_networks
    from spectraq.workers.operations import log
    from spectraq.workers.settings import load_settings

    given = {} if weights is None else {"weights": weights}
    settings = load_settings(config, worker=given)
    log.configure(settings.log, remarks=True)
    earlier, newer = _two(files, format, air, wavelength_unit)
    change = compare_spectra.Comparing(load_networks(settings.worker), settings.worker).change(earlier, newer)
    if change.days is not None and change.days < 0:
        print_note("the second spectrum is the older one: what is said to have appeared has gone")
    if as_json:
        print_json(compare_spectra.as_json(earlier, newer, change))
    else:
        _print(earlier, newer, change)


def _two(
    files: list[str], format: str | None, air: bool, wavelength_unit: str | None
) -> tuple[Spectrum, Spectrum]:
    """Return the two spectra that the files hold.

    Raises
    ------
    SpectraqError
        Where one can't be read, or they are not two.
    """
    from spectraq.workers.errors import ReadError, SpectraqError

    found: list[Spectrum] = []
    for item in spectra(files, format, air, wavelength_unit):
        if isinstance(item, ReadError):
            raise item
        found.append(item)
    if len(found) != 2:
        raise SpectraqError(
            f"compare takes two spectra, the earlier first, and these files hold {len(found)}; give two "
            "files of one spectrum each, or one of two"
        )
    return found[0], found[1]


def _print(earlier: Spectrum, newer: Spectrum, change: Change) -> None:
    """Print what changed, one sentence a line."""
    print_line(change.message)
    for reason in change.reasons:
        print_line(
            f"  {reason.kind}: {reason.message} ({reason.strength:.1f} sigma; false positives: "
            f"{reason.false_positive_rate:.2g})"
        )
    snr = " and ".join(f"{one:.1f}" for one in change.snr)
    level = (
        "" if change.level is None else f"; level {change.level:.2f} times the earlier's (fibres lose light)"
    )
    print_line(
        f"{earlier.spectrum_id} and {newer.spectrum_id}: {change.spectype} at z = {change.z:.4f}, S/N {snr}, "
        f"{change.overlap} pixels in common; response up to {change.response:.2f}{level}"
    )
