"""What holds of batches, cores and partners holds on other processors: what this one can do of them is tried.

Settings above what this processor has would leave it as it is, which other tests try; those are left out.
Each runs in a process of its own, because settings are read once.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

TIMEOUT_S = 240
AT_ONCE = 2
SETTINGS: dict[str, dict[str, str]] = {
    "no vectors": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
    },
    "AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "MKL_CBWR": "AVX2",
    },
    "AVX-512": {
        "ATEN_CPU_CAPABILITY": "avx512",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
        "MKL_ENABLE_INSTRUCTIONS": "AVX512",
    },
    "AVX-512 with bfloat16": {
        "ATEN_CPU_CAPABILITY": "avx512",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16",
        "MKL_CBWR": "AVX512",
    },
}
if not torch.cpu.get_capabilities().get("avx512_f"):
    SETTINGS = {name: values for name, values in SETTINGS.items() if not name.startswith("AVX-512")}
SCRIPT = """
import json
import torch
from spectraq.models import pipeline
from spectraq.models.networks import half_precision
from spectraq.models.simulate import simulate

spectra = [one.observation for one in simulate(19, seed=8)]
one_core = pipeline.Pipeline.load(threads=1)
expected = one_core.analyze(spectra)
pipeline.SPECTRA_ALONE = 0
two_cores = pipeline.Pipeline.load(threads=2)
partners = two_cores.start_partners(120)
turned = spectra[7:] + spectra[:7]
print(json.dumps({
    "capability": torch.backends.cpu.get_cpu_capability(),
    "half precision": half_precision.available(torch.device("cpu")),
    "partners": partners,
    "other order": one_core.analyze(turned) == expected[7:] + expected[:7],
    "alone": [one_core.analyze([one])[0] == answer for one, answer in zip(spectra[:3], expected)],
    "few": one_core.analyze(spectra[:6]) == expected[:6],
    "two cores": [two_cores.analyze(spectra) == expected for _ in range(2)],
}))
two_cores.close()
"""


def tried(settings: dict[str, str]) -> dict[str, Any]:
    """What the script says under some settings, with what oneDNN says that it uses."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, **settings, "ONEDNN_VERBOSE": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    used = [line.split("isa:")[1] for line in lines if ",info,cpu,isa:" in line]
    found: dict[str, Any] = json.loads(lines[-1])
    return {"isa": used[0] if used else "none", **found}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    """Of every setting."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(SETTINGS, pool.map(tried, SETTINGS.values()), strict=True))


@pytest.mark.parametrize("name", SETTINGS)
def test_no_answer_depends_on_its_batch_on_a_lesser_processor(
    name: str, outcomes: dict[str, dict[str, Any]]
) -> None:
    outcome = outcomes[name]
    print(f"{name}: PyTorch uses {outcome['capability']}, oneDNN {outcome['isa']}")
    assert outcome["other order"] and outcome["few"] and all(outcome["alone"])


@pytest.mark.parametrize("name", SETTINGS)
def test_two_cores_give_what_one_gives_on_a_lesser_processor(
    name: str, outcomes: dict[str, dict[str, Any]]
) -> None:
    assert outcomes[name]["partners"] == 1
    assert all(outcomes[name]["two cores"])


def test_the_settings_are_heeded(outcomes: dict[str, dict[str, Any]]) -> None:
    assert outcomes["no vectors"]["capability"] in ("DEFAULT", "NO AVX")
    assert outcomes["AVX2"]["capability"] in ("AVX2", "DEFAULT")
    assert not outcomes["no vectors"]["half precision"] and not outcomes["AVX2"]["half precision"]
