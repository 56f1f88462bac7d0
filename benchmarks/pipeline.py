"""Where the time goes: milliseconds a spectrum, by stage, and by size of the batch and number of cores.

On a CPU stages are in processor time, because other work on the machine would count too by the clock; the
whole is by the clock, as several processes share it. On a GPU all is by the clock. The ratios are what to
compare between machines. Run as `python benchmarks/pipeline.py [--device cuda] [--cores 1 2]`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

import torch

from spectraq.models import shipped
from spectraq.models.anomaly.judge import Judge
from spectraq.models.anomaly.residual import Measured, Residual
from spectraq.models.batch import BatchAnalyst, in_blocks
from spectraq.models.decision.decide import to_scan
from spectraq.models.grid.prepare import grid_batch, prepare
from spectraq.models.grid.survey_noise import SurveyNoise
from spectraq.models.networks.ensemble import Ensemble
from spectraq.models.pipeline import ROWS_A_BLOCK, Pipeline
from spectraq.models.processes import cpus
from spectraq.models.redshift import eigenspectra
from spectraq.models.redshift.continuum import Continuum
from spectraq.models.redshift.scan_all_lags import CONTINUUM_TERMS
from spectraq.models.redshift.search import ScannedClass
from spectraq.models.simulate import simulate
from spectraq.models.tensors import rows_of

SPECTRA = {"cpu": 128, "cuda": 1024}
"""Spectra that stages are measured with."""
REPEATS = 7
SIZES = (1, 4, 16, 64, 256, 1024, 4096)
DRAWN = 256
"""Spectra that are simulated; larger batches repeat them."""


def milliseconds(
    work: Callable[[], object], spectra: int, repeats: int, now: Callable[[], float] = time.perf_counter
) -> float:
    work()  # the first run allocates
    times = []
    for _ in range(repeats):
        start = now()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(now() - start)
    return 1e3 * median(times) / spectra


def stages(device: torch.device) -> dict[str, float]:
    """Each stage alone on the same batch, in blocks as the pipeline works."""
    torch.set_num_threads(1)
    block, n = ROWS_A_BLOCK[device.type], SPECTRA[device.type]
    drawn = [one.observation for one in simulate(DRAWN, seed=1)]
    observations = (drawn * -(-n // DRAWN))[:n]
    ensemble, bases = Ensemble.load(shipped.FOLDER, device), eigenspectra.load()
    noise = SurveyNoise.load(shipped.FOLDER, device)
    analyst = BatchAnalyst(ensemble, bases, device, block, noise)
    judge = Judge.load(shipped.FOLDER, bases, device)
    gridded = grid_batch(observations, device)
    prepared = prepare(gridded)
    blocks = [filled for _, filled in in_blocks(torch.arange(n, device=device), block)]
    opinion, _ = ensemble.ask(gridded, prepared)
    analysis = analyst.analyze(gridded)
    now = time.process_time if device.type == "cpu" else time.perf_counter

    def timed(work: Callable[[], object]) -> float:
        return milliseconds(work, n, REPEATS, now)

    def scan_of(name: str) -> Callable[[], None]:
        scan = ScannedClass(bases[name], device)
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
        "grid": timed(partial(grid_batch, observations, device)),
        "prepare": timed(lambda: [prepare(rows_of(gridded, rows)) for rows in blocks]),
        "networks": timed(
            lambda: [ensemble.ask(rows_of(gridded, rows), rows_of(prepared, rows)) for rows in blocks]
        ),
        "scan, galaxies": timed(scan_of("GALAXY")),
        "scan, quasars": timed(scan_of("QSO")),
        "residuals": timed(lambda: Residual.of(Measured.of(analysis))),
        "from grid to fit": timed(lambda: analyst.analyze(gridded)),
        "anomaly": timed(lambda: judge.judge(analysis, block, [1.0] * len(analysis.lag))),
    }
    scanned = to_scan(opinion).float().sum(1).mean()
    print(f"{scanned:.2f} classes scanned a spectrum; each scan below is of all spectra")
    return found


def whole(device: str, most: Sequence[int]) -> None:
    """Everything, by size of the batch and number of cores."""
    drawn = [one.observation for one in simulate(DRAWN, seed=2)]
    print(f"\nall stages, {device}")
    print(f"{'batch':>6s} {'cores':>6s} {'clock ms':>9s} {'ratio':>6s}")
    for threads in most:
        pipeline = Pipeline.load(device=device, threads=threads)
        pipeline.start_partners()
        unit = 0.0
        for n in SIZES:
            work = partial(pipeline.analyze, (drawn * -(-n // DRAWN))[:n])
            clock = milliseconds(work, n, REPEATS if n <= DRAWN else 2)
            unit = unit or clock
            print(f"{n:6d} {threads:6d} {clock:9.3f} {clock / unit:6.2f}")
        pipeline.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cores", type=int, nargs="+", help="default: one, and all")
    args = parser.parse_args()
    with torch.inference_mode():
        by_stage = stages(torch.device(args.device))
    total = by_stage["grid"] + by_stage["from grid to fit"] + by_stage["anomaly"]
    print(f"{'stage':20s} {'ms':>7s} {'share':>7s}")
    for name, ms in by_stage.items():
        print(f"{name:20s} {ms:7.3f} {ms / total:7.1%}")
    whole(args.device, args.cores or sorted({1, cpus.available() if args.device == "cpu" else 1}))


if __name__ == "__main__":
    main()
