"""An answer does not depend on the batch it came in: by construction, and at every place of a block."""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from spectraq.models.anomaly import detector
from spectraq.models.answer import Extra
from spectraq.models.final_fit.fit import FinalFit, final_fit
from spectraq.models.grid.prepare import grid_batch
from spectraq.models.networks import classifier, half_precision, members
from spectraq.models.observation import Observation
from spectraq.models.pipeline import Pipeline
from spectraq.models.simulate import simulate
from spectraq.models.tiles import TILE, cholesky_inverse, dot, in_tiles, inverse, sums

Kinds = dict[str, set[tuple[Any, ...]]]


def names(text: str) -> frozenset[str]:
    """Names of PyTorch's operations."""
    return frozenset(text.split())


PRODUCTS = names(
    """
    _convolution_pointwise _convolution_pointwise_ _scaled_dot_product_attention addbmm addmm addmv baddbmm
    bilinear bmm conv1d conv2d convolution dot einsum fft_irfft fft_rfft linear matmul mkldnn_convolution mm
    mv tensordot vdot
    """
)
"""What a library chooses a kernel for by shape: each spectrum meets it in one shape alone."""
ONE_BY_ONE = names("linalg_cholesky linalg_inv linalg_solve_triangular")
"""What is done matrix by matrix: the matrices have one shape, their number is the batch's."""
ROW_BY_ROW = names(
    """
    __and__ __ior__ __or__ _conj _local_scalar_dense _to_copy abs add add_ addcmul_ alias all amax amin
    acos any arange argmax argmin argsort as_strided asinh batch_norm bitwise_not cat clamp clamp_max
    clamp_min clamp_min_ clone constant_pad_nd contiguous copy_ copysign cos cummax cumsum detach detach_
    diagonal div div_ dropout empty eq erf exp expand expand_as expm1 eye fill_ flatten flip floor
    floor_divide full full_like gather ge gt imag index index_add_ index_put_ isfinite item le lift_fresh
    linspace log log10 log1p log_softmax logsumexp lt max max_pool1d maximum mean median min minimum mul
    mul_ nan_to_num narrow ne neg new_empty new_zeros nonzero numpy_T one_hot ones_like pad permute pow
    real reciprocal relu remainder repeat repeat_interleave resolve_conj resolve_neg round rsqrt rsub
    scatter scatter_add scatter_add_ scatter_reduce_ select sign slice softmax special_log_ndtr split
    sqrt sqrt_ square square_ stack std sub sum tanh to topk transpose unbind unflatten unfold unsqueeze
    view view_as_real where zeros zeros_like
    """
)
"""Element by element, along a row, or nothing but moved."""
ALONE = 17
"""Spectra of all classes that are analysed alone, too."""
SIZES = (2, 5, ALONE, 64)


class Recorder(TorchDispatchMode):
    """Notes which operations are done on tensors of which shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: Kinds = defaultdict(set)
        self.paused = False

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if self.paused:
            return func(*args, **(kwargs or {}))
        name = func._schema.name.split("::")[1]
        if (name, func._overloadname) == ("pow", "Scalar"):
            name = "power of a number"  # rounds by place
        tensors = [value for value in args if isinstance(value, torch.Tensor)]
        skipped = 1 if name in ONE_BY_ONE else 0
        laid_out = tuple((str(t.dtype), *t.shape[skipped:], "strides", *t.stride()) for t in tensors)
        self.kinds[name].add(laid_out)
        return func(*args, **(kwargs or {}))


def recorded(pipeline: Pipeline, observations: Sequence[Observation]) -> Kinds:
    """Every operation of an analysis with models, but for final fits: each of them is made alone."""
    with Recorder() as recorder, pytest.MonkeyPatch.context() as patch:

        def unrecorded(*arguments: Any) -> FinalFit:
            recorder.paused = True
            fits = final_fit(*arguments)
            recorder.paused = False
            return fits

        patch.setattr("spectraq.models.pipeline.final_fit", unrecorded)
        pipeline._analyze(observations, Extra.MODEL | Extra.MEASUREMENT)
    return recorder.kinds


@pytest.fixture(scope="module")
def spectra() -> list[Observation]:
    drawn = [one.observation for one in simulate(max(SIZES), seed=8)]
    drawn[3] = dataclasses.replace(drawn[3], ivar=None)
    return drawn


@pytest.fixture(params=["plain", "packed"])
def either(request: pytest.FixtureRequest, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """The pipeline, and that of processors with half precision, its numbers as long as this one can do."""
    if request.param == "plain" or half_precision.available(torch.device("cpu")):
        return pipeline
    for module in (half_precision, classifier):
        monkeypatch.setattr(module, "PRECISION", torch.float32)
    for module in (members.half_precision, detector):
        monkeypatch.setattr(module, "available", lambda _: True)
    return Pipeline.load(threads=1)


def test_every_product_of_a_spectrum_has_the_same_shape_in_every_batch(
    either: Pipeline, pipeline: Pipeline, spectra: list[Observation]
) -> None:
    # the first analysis makes what all others use
    either._analyze(spectra[:ALONE], Extra.MODEL | Extra.MEASUREMENT)
    sizes = SIZES if either is pipeline else SIZES[:2]
    alone = [recorded(either, [one]) for one in spectra[: min(ALONE, sizes[-1])]]
    for n in sizes:
        batch = recorded(either, spectra[:n])
        for name in PRODUCTS | ONE_BY_ONE:
            expected: set[tuple[Any, ...]] = set().union(*(one.get(name, set()) for one in alone[:n]))
            assert batch.get(name, set()) == expected, f"{name} in a batch of {n}"


def test_every_other_step_works_row_by_row(pipeline: Pipeline, spectra: list[Observation]) -> None:
    pipeline._analyze(spectra[:5], Extra.MODEL | Extra.MEASUREMENT)
    seen = recorded(pipeline, spectra[:5]).keys() - PRODUCTS - ONE_BY_ONE
    unknown = seen - ROW_BY_ROW
    assert not unknown, (
        "is it a product? then of one shape, with spectraq.models.tiles; else add it to ROW_BY_ROW"
    )


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "function",
    [
        torch.asinh,
        torch.exp,
        torch.expm1,
        lambda x: x.abs().log(),
        lambda x: x.abs().log10(),
        lambda x: x.abs().log1p(),
        lambda x: x.abs().rsqrt(),
        lambda x: x.clone().addcmul_(x + 1.3, 0.7 * x, value=-1),
        lambda x: x.clone().add_(0.3 * x, alpha=0.123),
        torch.reciprocal,
        torch.special.log_ndtr,
        torch.tanh,
        lambda x: x**2 * (1.5 * x - 2.5) + x**3,
    ],
)
def test_functions_round_alike_wherever_a_number_stands(
    function: Callable[[torch.Tensor], torch.Tensor], kind: torch.dtype
) -> None:
    x = torch.randn(2057, dtype=kind, generator=torch.Generator().manual_seed(3))
    assert torch.equal(function(x), torch.cat([function(one) for one in x.split(1)]))


def rows(record: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of a record of records, by name, the batch as its first dimension."""
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, torch.Tensor):
            members_first = type(record).__name__ == "Opinion"
            yield f"{type(record).__name__}.{field.name}", value.transpose(0, 1) if members_first else value
        elif isinstance(value, tuple):
            for part in value:
                yield from rows(part)
        elif dataclasses.is_dataclass(value):
            yield from rows(value)


def steps(pipeline: Pipeline, observations: Sequence[Observation]) -> list[tuple[str, torch.Tensor]]:
    """Everything that is known of a batch after each step."""
    with torch.inference_mode():
        analysis = pipeline.analysis(grid_batch(observations), everything=True)
        found = list(rows(analysis))
        pictures = list(pipeline._judge._scorer.pictures(analysis, pipeline._analyst.block))
        found += rows(pipeline._judge._scorer.score(analysis, pipeline._analyst.block))
        found += [("planes", torch.cat([planes for _, planes, _ in pictures]))]
        found += [("evidence", torch.cat([numbers for _, _, numbers in pictures]))]
    return found


def assert_row_is(
    found: list[tuple[str, torch.Tensor]], place: int, expected: list[tuple[str, torch.Tensor]]
) -> None:
    for (name, many), (_, one) in zip(found, expected, strict=True):
        assert torch.equal(many[place].nan_to_num(-1.0), one[0].nan_to_num(-1.0)), f"{name} at {place}"


def by_class(pipeline: Pipeline, spectra: list[Observation]) -> dict[str, Observation]:
    """One spectrum of each class."""
    answers = pipeline.analyze(spectra)
    return {answer.spectype: one for answer, one in zip(answers, spectra, strict=True)}


def test_every_step_gives_a_spectrum_the_same_at_every_place_and_beside_any_others(
    pipeline: Pipeline, spectra: list[Observation]
) -> None:
    chosen = by_class(pipeline, spectra)
    assert len(chosen) == 3
    for one in chosen.values():
        alone = steps(pipeline, [one])
        copies = steps(pipeline, [one] * 19)
        for place in range(19):
            assert_row_is(copies, place, alone)
        for place in (2, 7, 18):
            among = [*spectra[:place], one, *spectra[place:18]]
            assert_row_is(steps(pipeline, among), place, alone)


@pytest.mark.parametrize(
    ("product", "shapes"),
    [
        (lambda a, b: sums(a, b), ((3, 1152), (7, 1152))),
        (lambda a, b: sums(a, b), ((144, 56), (96, 56))),
        (lambda a, b: in_tiles(torch.bmm, a, b), ((1, 13), (13, 4608))),
        (lambda a, b: dot(a[:, :, None], b[:, None]), ((4, 141), (4, 141))),
        (lambda a, b: inverse(sums(a, b).double()), ((5, 40), (5, 40))),
        (lambda a, b: cholesky_inverse(sums(a, a).double()), ((9, 40), (9, 40))),
    ],
)
@pytest.mark.parametrize("n", [1, 3, TILE, 21])
def test_a_row_of_a_product_is_the_same_at_every_place(
    product: Callable[..., torch.Tensor], shapes: tuple[tuple[int, ...], ...], n: int
) -> None:
    draw = torch.Generator().manual_seed(n)
    chosen = [torch.rand(shape, generator=draw) for shape in shapes]
    alone = product(*(one[None] for one in chosen))[0]
    for place in range(n):
        among = [torch.rand((n, *shape), generator=draw) for shape in shapes]
        for many, one in zip(among, chosen, strict=True):
            many[place] = one
        assert torch.equal(product(*among)[place], alone)


def test_every_sentence_on_the_same_bytes_has_the_test_that_the_page_names() -> None:
    root = Path(__file__).parents[2]
    section = (root / "docs" / "wire.md").read_text().split("### The same bytes")[1].split("\n## ")[0]
    named = re.findall(r"^\| .+ \| `(test_\w+)` \|$", section, re.MULTILINE)
    assert len(named) == 5
    code = "".join(path.read_text() for path in Path(__file__).parent.rglob("test_*.py"))
    assert not [name for name in named if f"def {name}(" not in code]
