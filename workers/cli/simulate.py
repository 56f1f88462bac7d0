"""`spectraq simulate`: spectra with known truth, to a file or to the topic."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spectraq.workers.cli.common_options import Config
from spectraq.workers.cli.terminal import print_error, progress, stderr
from spectraq.workers.cli.writing import WRONG_USE, Overwrite, check_new

if TYPE_CHECKING:
    from spectraq.models.simulate import Simulated
    from spectraq.schemas.spectrum import Spectrum

FLUX_UNIT = "1e-17 erg / (s cm2 Angstrom)"


def simulate(
    n: Annotated[int, typer.Argument(help="How many spectra.", min=1)],
    seed: Annotated[int, typer.Option(help="The same seed gives the same spectra.", min=0)] = 0,
    output: Annotated[Path | None, typer.Option(help="Write them to a .fits or .npz file.")] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Send them to the topic of spectra.")] = False,
    rate: Annotated[float | None, typer.Option(help="Spectra a second at most.", min=0.001)] = None,
    truth: Annotated[Path | None, typer.Option(help="Write what they really are to a .csv file.")] = None,
    repeats: Annotated[
        bool,
        typer.Option("--repeats", help="Two spectra of each object, with known changes in half of them."),
    ] = False,
    overwrite: Overwrite = False,
    config: Config = None,
) -> None:
    """Make spectra of known class and redshift, with the noise and faults of real instruments.

    Example: `spectraq simulate 1000 --output mocks.fits --truth truth.csv`
    """
    from spectraq.workers.demonstration import simulated

    if (output is None) == (not publish):
        raise typer.BadParameter("give --output FILE or --publish")
    if output is not None and output.suffix not in (".fits", ".npz"):
        raise typer.BadParameter(f"{output} ends in neither .fits nor .npz", param_hint="--output")
    _check_new(output, truth, overwrite)
    truths: list[tuple[str, Simulated, str | None]] = []
    total = 2 * n if repeats else n

    def made() -> Iterator[tuple[Spectrum, Simulated, str | None]]:
        if repeats:
            yield from simulated.repeats(n, seed)
        else:
            yield from ((spectrum, one, None) for spectrum, one in simulated.spectra(n, seed))

    def noted() -> Iterator[Spectrum]:
        with progress() as bar:
            task = bar.add_task("simulating", total=total)
            for spectrum, one, change in made():
                truths.append((spectrum.spectrum_id, one, change))
                bar.advance(task)
                yield spectrum

    if output is not None:
        _write(output, list(noted()))
        stderr.print(f"wrote {total} spectra to {output}", markup=False, highlight=False)
    else:
        _publish(noted(), rate, config)
    if truth is not None:
        _write_truth(truth, truths)


def _check_new(output: Path | None, truth: Path | None, overwrite: bool) -> None:
    for option, path in (("--output", output), ("--truth", truth)):
        if path is not None:
            check_new(option, path, overwrite)
    if output is not None and truth is not None and output.resolve() == truth.resolve():
        print_error(f"--output and --truth are the same file, {output}; name two")
        raise typer.Exit(WRONG_USE)


def _publish(spectra: Iterator[Spectrum], rate: float | None, config: Path | None) -> None:
    from spectraq.workers.operations import log
    from spectraq.workers.settings import load_settings
    from spectraq.workers.transport.sender import Sender
    from spectraq.workers.transport.topics import require_topics

    settings = load_settings(config)
    log.configure(settings.log)
    require_topics(settings)
    with Sender(settings, rate) as publisher:
        for spectrum in spectra:
            publisher.publish(spectrum, spectrum.spectrum_id, settings.topics.spectra)
    stderr.print(f"published {publisher.sent} spectra to {settings.topics.spectra}", highlight=False)


def _write(path: Path, spectra: list[Spectrum]) -> None:
    """Write spectra as one table; shorter ones are padded with pixels that carry no weight."""
    import numpy as np
    from astropy.table import Table

    from spectraq.workers.operations.disk import whole

    n = max(spectrum.n_pixels for spectrum in spectra)
    wavelength = np.empty((len(spectra), n))
    flux = np.zeros((len(spectra), n), np.float32)
    ivar = np.zeros((len(spectra), n), np.float32)
    for row, spectrum in enumerate(spectra):
        axis = spectrum.vacuum_wavelength()
        wavelength[row, : axis.size] = axis
        wavelength[row, axis.size :] = axis[-1] + np.arange(1, n - axis.size + 1)
        flux[row, : axis.size] = spectrum.flux
        if spectrum.ivar is not None:
            ivar[row, : axis.size] = spectrum.ivar
    columns = {
        "spectrum_id": np.array([spectrum.spectrum_id for spectrum in spectra]),
        "wavelength_vac": wavelength,
        "flux": flux,
        "ivar": ivar,
    }
    with whole(path) as part:
        if path.suffix == ".npz":
            units = {"wavelength_unit": np.array("Angstrom"), "flux_unit": np.array(FLUX_UNIT)}
            np.savez_compressed(part, allow_pickle=False, **units, **columns)
            return
        table = Table(columns)
        table["wavelength_vac"].unit = "Angstrom"
        table["flux"].unit = FLUX_UNIT
        table.write(part, format="fits", overwrite=True)


def _write_truth(path: Path, truths: list[tuple[str, Simulated, str | None]]) -> None:
    from spectraq.workers.demonstration.simulated import TRUTH
    from spectraq.workers.operations.disk import whole

    changes = any(change is not None for _, _, change in truths)
    with whole(path) as part, part.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow((*TRUTH, "change") if changes else TRUTH)
        for name, made, change in truths:
            row = (name, made.spectype, made.subtype, f"{made.z:.8f}", f"{made.snr:.2f}", made.fault or "")
            writer.writerow((*row, change) if changes else row)
