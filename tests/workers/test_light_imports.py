"""What only passes spectra and answers on starts without what makes answers and what reads files."""

import subprocess
import sys

PASSES_ON = (
    "workers.service.loop", "workers.web.serve", "workers.archive.sink", "workers.deadletters.browse",
    "workers.transport.follower", "workers.cache.answers", "workers.files.result_table",
)  # fmt: skip


def test_neither_torch_nor_astropy_is_imported_before_there_is_something_to_do_for_it() -> None:
    imports = "; ".join(f"import spectraq.{name}" for name in PASSES_ON)
    script = f"import sys; {imports}; print({{'torch', 'astropy'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
