"""Whether a fault that the spectra of a plate share is found, and what is flagged before and after.

Plates are drawn from the normal real spectra of a source; into all of them, or half, the same fault is put,
and they are fitted anew. The other spectra of the survey stand for its other plates. Needs the folder of real
spectra and templates beside the checkout. Run as `python benchmarks/shared_faults.py`; `--draws` more or
fewer plates; some eight minutes of one core.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable

import numpy as np
import torch
from anomalies import BLOCK, DATA, Hosts
from numpy.typing import NDArray

from spectraq.models import shipped
from spectraq.models.anomaly.coarse_residual import read_stretches
from spectraq.models.anomaly.judge import Judge
from spectraq.models.anomaly.reference import Reference
from spectraq.models.anomaly.shared_fault import fault
from spectraq.models.anomaly.shared_pattern import patterns
from spectraq.models.anomaly.shared_stack import Stack
from spectraq.models.anomaly.verdict import Verdict
from spectraq.models.anomaly.without_shared import judged_without
from spectraq.models.answer import Answer
from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import N_PIXELS, WAVELENGTH
from spectraq.models.grid.prepare import Gridded, running_median

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
PLATES = 20
"""That the other spectra of a survey stand for."""
OWN_SKY = "lamost-learninglamost"
"""A source that is one plate with a residual of sky of its own; it is shown, and not in the means."""
SIZES = ((20, 1.0), (50, 1.0), (500, 1.0), (20, 0.5), (50, 0.5), (500, 0.5))


def unchanged(hosts: Hosts) -> Floats:
    return hosts.flux


def step(hosts: Hosts, size: float) -> Floats:
    """All flux redward of 6000 Å too bright."""
    return hosts.flux * (1 + size * (WAVELENGTH > 6000))


def sky(hosts: Hosts) -> Floats:
    """The night sky's lines, the brightest 8 sigma of a pixel too low."""
    table = np.loadtxt(DATA / "sky/desispec/spec-sky.dat")
    lines = np.interp(WAVELENGTH, table[:, 0], table[:, 1])
    lines = np.clip(lines - running_median(lines, 60), 0, None)
    pairs = zip(hosts.ivar, hosts.used, strict=True)
    sigma = np.array([1 / np.sqrt(np.median(ivar[used])) for ivar, used in pairs])
    return hosts.flux - 8 * sigma[:, None] * lines / np.percentile(lines, 99.5)


def column(hosts: Hosts) -> Floats:
    """Four pixels that have 30 % of their flux."""
    left = np.ones(N_PIXELS)
    left[2000:2004] = 0.3
    return hosts.flux * left


def waves(hosts: Hosts) -> Floats:
    """A calibration that is wrong by 3 %, up and down within 700 Å."""
    return hosts.flux * (1 + 0.03 * np.sin(2 * np.pi * WAVELENGTH / 700))


FAULTS: dict[str, Callable[[Hosts], Floats]] = {
    "step 5 %": lambda hosts: step(hosts, 0.05),
    "step 10 %": lambda hosts: step(hosts, 0.10),
    "sky": sky,
    "column": column,
    "waves 3 %": waves,
}


class Judged:
    """All hosts with one fault put in, each judged alone."""

    def __init__(self, hosts: Hosts, judge: Judge, flux: Floats) -> None:
        old = hosts.gridded
        shown = torch.from_numpy(np.where(hosts.used, flux, 0)).float()
        new = Gridded(shown, old.ivar, old.offset, old.noise_estimated, old.unit)
        with torch.inference_mode():
            verdicts = judge.judge(hosts.analyst.analyze(new), BLOCK, [1.0] * len(shown))
        self.answers = [_answer(verdict) for verdict in verdicts]
        self.lines = [verdict.evidence.stretches if verdict.evidence else "" for verdict in verdicts]
        self.spectypes = [CLASSES[i] for i in hosts.spectype]

    def stack(self, rows: Rows) -> Stack:
        """Return the sums of some hosts."""
        levels = read_stretches([self.lines[i] for i in rows]).levels
        return Stack.of(levels, [self.spectypes[i] for i in rows])


def _answer(verdict: Verdict) -> Answer:
    nothing = dict.fromkeys(Answer.__dataclass_fields__)
    return Answer(
        **nothing  # type: ignore[arg-type]
        | {
            "anomaly_flagged": verdict.flagged,
            "anomaly_reasons": verdict.reasons,
            "anomaly_evidence": verdict.evidence,
            "anomaly_shared": (),
            "anomaly_reported": (),
        }
    )


class Plates:
    """Plates drawn from the sources."""

    def __init__(self, hosts: Hosts, clean: Judged, draws: int) -> None:
        self.clean, self.draws = clean, draws
        self.rng = np.random.default_rng(1)
        judged = np.array([bool(line) for line in clean.lines])
        self.pools = {
            str(source): np.flatnonzero((hosts.source == source) & judged)
            for source in np.unique(hosts.source)
            if ((hosts.source == source) & judged).sum() >= 30 and source != "lamost-mulyss"
        }
        survey = np.array([_survey(source) for source in hosts.source])
        self.same = {s: np.flatnonzero((survey == _survey(s)) & judged) for s in self.pools}
        self.normal = Reference.load(shipped.FOLDER)

    def unchanged(self) -> dict[str, Counter[str]]:
        """Return how many unchanged plates seem to have a fault, by what they are compared with."""
        found: dict[str, Counter[str]] = {}
        for compared in ("its survey", "nothing", "other sources"):
            found[compared] = Counter()
            for source, pool in self.pools.items():
                for _ in range(10 * self.draws):
                    n = self.rng.choice([12, 20, min(40, len(pool) * 2 // 3)])
                    rows = self.rng.choice(pool, n, replace=False)
                    others = np.setdiff1d(self.same[source], pool if compared == "other sources" else rows)
                    if compared == "nothing":
                        others = others[:0]
                    shared = patterns(self.clean.stack(rows), self.clean.stack(others), PLATES)
                    found[compared][source] += bool(shared)
        return found

    def changed(self, faulty: Judged, n: int, part: float) -> dict[str, Floats]:
        """Return by source: found, flagged before, after, and without the fault."""
        shares = {}
        for source, pool in self.pools.items():
            if n < 500 and len(pool) < 1.2 * n:
                continue
            plates = [self._plate(faulty, source, pool, n, int(n * part)) for _ in range(self.draws)]
            shares[source] = np.mean(plates, axis=0)
        return shares

    def _plate(self, faulty: Judged, source: str, pool: Rows, n: int, hit: int) -> list[float]:
        rows = self.rng.choice(pool, n, replace=n > len(pool))
        others = self.same[source] if n > len(pool) else np.setdiff1d(self.same[source], rows)
        whose = [(faulty if k < hit else self.clean, i) for k, i in enumerate(rows)]
        lines, answers = [by.lines[i] for by, i in whose], [by.answers[i] for by, i in whose]
        stack = faulty.stack(rows[:hit]) + self.clean.stack(rows[hit:])
        shared = patterns(stack, self.clean.stack(others), PLATES)
        members = read_stretches(lines)
        faults = [fault(pattern, pattern.kind, ("plate", ""), n, members) for pattern in shared]
        after = judged_without(answers, [faults] * n, [None] * n, self.normal)
        without = [self.clean.answers[i] for i in rows]
        flagged = [np.mean([one.anomaly_flagged for one in some]) for some in (answers, after, without)]
        return [float(bool(shared)), *map(float, flagged)]


def _survey(source: str) -> str:
    names = {"indous": "lamost", "picca": "boss", "squeze": "boss"}
    return next((survey for name, survey in names.items() if name in source), source.split("-")[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=15, help="Plates of each source, size and fault.")
    options = parser.parse_args()
    if not (DATA / "spectra/INDEX.csv").exists():
        print("no real spectra beside the checkout: nothing to measure on")
        return
    hosts = Hosts()
    judge = Judge(Reference.load(shipped.FOLDER), hosts.scorer)
    plates = Plates(hosts, Judged(hosts, judge, hosts.flux), options.draws)
    for compared, found in plates.unchanged().items():
        print(f"unchanged, compared with {compared}: {dict(found)} of {10 * options.draws} each", flush=True)
    for name, change in FAULTS.items():
        faulty = Judged(hosts, judge, change(hosts))
        for n, part in SIZES:
            shares = plates.changed(faulty, n, part)
            mean = np.mean([share for source, share in shares.items() if source != OWN_SKY], axis=0)
            print(
                f"{name}, {part:.0%} of {n}: found {mean[0]:.2f}; flagged {mean[1]:.3f} before, "
                f"{mean[2]:.3f} after, {mean[3]:.3f} without the fault; "
                + ", ".join(f"{source} {share[0]:.2f}" for source, share in shares.items()),
                flush=True,
            )


if __name__ == "__main__":
    main()
