"""One batch from pixels to numbers: what a step has made, no later one changes."""

import pytest
import torch

from spectraq.models.answer import Extra
from spectraq.models.batch import BatchAnalyst
from spectraq.models.pipeline import Pipeline
from spectraq.models.simulate import simulate


def test_what_was_decided_and_scanned_is_not_written_into(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def kept(name: str, *fields: str) -> None:
        step = getattr(BatchAnalyst, name)

        def remembered(self, *arguments):
            record = step(self, *arguments)
            made.extend((tensor, tensor.clone()) for tensor in (getattr(record, field) for field in fields))
            return record

        monkeypatch.setattr(BatchAnalyst, name, remembered)

    kept("_decided", "spectype", "subclass_probability")
    kept("_search", "curve", "chi2")
    observations = [spectrum.observation for spectrum in simulate(12, seed=3)]
    with torch.inference_mode():  # and here, where steps are remembered, not in another process
        pipeline._analyze(observations, Extra.MODEL | Extra.MEASUREMENT)
    assert len(made) >= 2 + 2 * 6
    for tensor, before in made:
        assert torch.equal(tensor.nan_to_num(), before.nan_to_num())
