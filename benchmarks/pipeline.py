"""Where the time goes: milliseconds of processor time a spectrum, by stage and by size of the batch.

Processor time and not the clock, because other work on the machine would count too; the ratios are what to
compare between machines. Run as `python benchmarks/pipeline.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

import torch

from models import eigenspectra, shipped
from models.analysis import Analyst, in_blocks
from models.anomaly import Judge
from models.anomaly.residual import Residual
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
SIZES = (1, 4, 16, 64, 128)


def milliseconds(work: Callable[[], object], spectra: int) -> float:
    work()  # the first run allocates
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1e3 * median(times) / spectra


def stages() -> dict[str, float]:
    """Each stage alone on the same batch, in blocks as the pipeline works."""
    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    block = ROWS_A_BLOCK["cpu"]
    observations = [one.observation for one in simulate(SPECTRA, seed=1)]
    ensemble, bases = Ensemble.load(), eigenspectra.load()
    analyst, judge = Analyst(ensemble, bases, cpu, block), Judge.load(shipped.FOLDER, cpu)
    gridded = grid_batch(observations)
    prepared = prepare(gridded)
    blocks = [filled for _, filled in in_blocks(torch.arange(SPECTRA), block)]
    opinion = ensemble.ask(prepared.channels)
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
        "networks": milliseconds(lambda: [ensemble.ask(prepared.channels[rows]) for rows in blocks], SPECTRA),
        "scan, galaxies": milliseconds(scan_of("GALAXY"), SPECTRA),
        "scan, quasars": milliseconds(scan_of("QSO"), SPECTRA),
        "residuals": milliseconds(lambda: Residual.of(analysis), SPECTRA),
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
    pipeline = Pipeline.load()
    observations = [one.observation for one in simulate(max(SIZES), seed=2)]
    by_size = {n: milliseconds(partial(pipeline.analyze, observations[:n]), n) for n in SIZES}
    print(f"\n{'batch':20s} {'ms':>7s} {'ratio':>7s}   all stages, processor time of all threads")
    for n, ms in by_size.items():
        print(f"{n:<20d} {ms:7.3f} {ms / by_size[64]:7.2f}")


if __name__ == "__main__":
    main()
