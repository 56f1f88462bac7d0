"""Where the time goes: milliseconds a spectrum, by stage, and by size of the batch and number of cores.

Stages are in processor time, because other work on the machine would count too by the clock; the whole is by
the clock, as several processes share it. The ratios are what to compare between machines. Run as
`python benchmarks/pipeline.py [--device cuda]`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import torch

from models import cores, eigenspectra, shipped
from models.analysis import Analyst, in_blocks
from models.anomaly import Judge
from models.anomaly.residual import Measured, Residual
from models.continuum import Continuum
from models.decide import to_scan
from models.ensemble import Ensemble
from models.pipeline import ROWS_A_BLOCK, Pipeline
from models.preprocess import grid_batch, prepare
from models.rows import rows_of
from models.scan import CONTINUUM_TERMS
from models.search import ScannedClass
from models.simulate import simulate

SPECTRA = 128
REPEATS = 7
SIZES = (1, 4, 16, 64, 256, 1024, 4096)
DRAWN = 256
"""Spectra that are simulated; larger batches repeat them."""


def milliseconds(
    work: Callable[[], object],
    spectra: int,
    repeats: int = REPEATS,
    now: Callable[[], float] = time.process_time,
) -> float:
    work()  # the first run allocates
    times = []
    for _ in range(repeats):
        start = now()
        work()
        times.append(now() - start)
    return 1e3 * median(times) / spectra


def stages() -> dict[str, float]:
    """Each stage alone on the same batch, in blocks as the pipeline works."""
    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    block = ROWS_A_BLOCK["cpu"]
    observations = [one.observation for one in simulate(SPECTRA, seed=1)]
    ensemble, bases = Ensemble.load(), eigenspectra.load()
    analyst, judge = Analyst(ensemble, bases, cpu, block), Judge.load(shipped.FOLDER, bases, cpu)
    gridded = grid_batch(observations)
    prepared = prepare(gridded)
    blocks = [filled for _, filled in in_blocks(torch.arange(SPECTRA), block)]
    opinion, _ = ensemble.ask(gridded, prepared)
    analysis = analyst.analyze(gridded)

    def scan_of(name: str) -> Callable[[], None]:
        scan = ScannedClass(bases[name], cpu)
        posterior = (opinion.z_galaxy if name == "GALAXY" else opinion.z_qso).mean(0)

        def work() -> None:
            for rows in blocks:
                flux, ivar = prepared.coarse_flux[rows], prepared.coarse_ivar[rows]
                scan.search(
                    flux,
                    ivar,
                    Continuum.fit(flux, ivar, CONTINUUM_TERMS),
                    posterior[rows],
                    prepared.snr[rows],
                )

        return work

    found = {
        "grid": milliseconds(partial(grid_batch, observations), SPECTRA),
        "prepare": milliseconds(lambda: [prepare(rows_of(gridded, rows)) for rows in blocks], SPECTRA),
        "networks": milliseconds(
            lambda: [ensemble.ask(rows_of(gridded, rows), rows_of(prepared, rows)) for rows in blocks],
            SPECTRA,
        ),
        "scan, galaxies": milliseconds(scan_of("GALAXY"), SPECTRA),
        "scan, quasars": milliseconds(scan_of("QSO"), SPECTRA),
        "residuals": milliseconds(lambda: Residual.of(Measured.of(analysis)), SPECTRA),
        "anomaly": milliseconds(lambda: judge.judge(analysis, block), SPECTRA),
        "from grid to fit": milliseconds(lambda: analyst.analyze(gridded), SPECTRA),
    }
    scanned = to_scan(opinion).float().sum(1).mean()
    print(f"one thread; {scanned:.2f} classes scanned a spectrum; each scan below is of all spectra")
    return found


def main() -> None:
    with torch.inference_mode():
        by_stage = stages()
    whole = by_stage["grid"] + by_stage["from grid to fit"] + by_stage["anomaly"]
    print(f"{'stage':20s} {'ms':>7s} {'share':>7s}")
    for name, ms in by_stage.items():
        print(f"{name:20s} {ms:7.3f} {ms / whole:7.1%}")
    drawn = [one.observation for one in simulate(DRAWN, seed=2)]
    device = sys.argv[2] if sys.argv[1:2] == ["--device"] else "cpu"
    most = cores.available()
    print(f"\nall stages, {device}")
    print(f"{'batch':>6s} {'cores':>6s} {'clock ms':>9s} {'ratio':>6s}")
    for threads in sorted({1, most}):
        pipeline = Pipeline.load(device=device, threads=threads)
        pipeline.start_partners()
        unit = 0.0
        for n in SIZES:
            work = partial(pipeline.analyze, (drawn * -(-n // DRAWN))[:n])
            repeats = REPEATS if n <= DRAWN else 2
            clock = milliseconds(work, n, repeats, time.perf_counter)
            unit = unit or clock
            print(f"{n:6d} {threads:6d} {clock:9.3f} {clock / unit:6.2f}")


if __name__ == "__main__":
    main()
