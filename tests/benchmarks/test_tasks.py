from pathlib import Path

import numpy as np
import pytest

from benchmarks.study.figures import proportion, quantile, share, tail_ratio, uniform_distance
from benchmarks.study.nulls import signed_null
from benchmarks.study.outcome import BINS, Outcome, merged, null_outcome
from benchmarks.study.tasks import Parameters, Shelf, Task, run_tasks
from benchmarks.study.versions import ROOT, sources_of


class Counting:
    """A measure that draws a number, and remembers how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, parameters: Parameters, rng: np.random.Generator) -> Outcome:
        self.calls += 1
        return Outcome(counts={"drawn": int(rng.integers(2**40))})


def outcomes(folder: Path, measure: Counting, **changed: int) -> list[Outcome]:
    seed = changed.pop("seed", 0)
    tasks = [Task("draw", {"rows": 8} | changed, replicate, seed) for replicate in range(3)]
    return list(run_tasks(tasks, {"draw": measure}, Shelf(folder), lambda task: None))


def test_a_second_run_finds_what_the_first_kept(tmp_path: Path) -> None:
    measure = Counting()
    first = outcomes(tmp_path, measure)
    assert outcomes(tmp_path, measure) == first
    assert measure.calls == 3


def test_a_run_that_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = outcomes(tmp_path / "whole", Counting())
    tasks = (Task("draw", {"rows": 8}, replicate, 0) for replicate in range(3))
    shelf = Shelf(tmp_path)
    next(run_tasks(tasks, {"draw": Counting()}, shelf, lambda task: None))
    measure = Counting()
    assert outcomes(tmp_path, measure) == whole
    assert measure.calls == 2


@pytest.mark.parametrize("changed", [{"rows": 32}, {"seed": 1}], ids=["parameters", "seed"])
def test_other_parameters_or_another_seed_are_measured_anew(
    tmp_path: Path, changed: dict[str, int]
) -> None:
    outcomes(tmp_path, Counting())
    measure = Counting()
    outcomes(tmp_path, measure, **changed)
    assert measure.calls == 3


def test_outcomes_of_other_code_are_not_found(tmp_path: Path) -> None:
    shelf, task = Shelf(tmp_path), Task("draw", {}, 0, 0)
    shelf.put(task, "before", Outcome())
    assert shelf.get(task, "before") == Outcome()
    assert shelf.get(task, "after") is None


def test_a_measure_depends_on_what_its_imports_import_and_on_nothing_else() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in sources_of(signed_null.__module__)}
    assert {"benchmarks/study/nulls.py", "benchmarks/study/generator.py",
            "inspector/stats/matching.py", "sample_shards/build.py"} <= found  # fmt: skip
    assert not {"benchmarks/study/page.py", "inspector/render/text.py"} & found


def test_replicates_and_parameters_have_streams_of_their_own() -> None:
    tasks = [
        Task("a", {"rows": 8}, 0, 0), Task("a", {"rows": 8}, 1, 0), Task("a", {"rows": 8}, 0, 1),
        Task("a", {"rows": 9}, 0, 0), Task("b", {"rows": 8}, 0, 0),
    ]  # fmt: skip
    assert len({int(task.rng().integers(2**60)) for task in tasks}) == len(tasks)


def test_an_unfinished_file_is_no_outcome(tmp_path: Path) -> None:
    shelf, task = Shelf(tmp_path), Task("draw", {}, 0, 0)
    shelf.path(task, "1").with_suffix(".part").write_bytes(b"{")
    assert shelf.get(task, "1") is None
    shelf.put(task, "1", Outcome(counts={"a": 1}))
    assert shelf.get(task, "1") == Outcome(counts={"a": 1})


def test_outcomes_add_up() -> None:
    one = Outcome(counts={"a": 1}, samples={"x": [1.0]}, histograms={"h": [1, 0]})
    two = Outcome(counts={"a": 2, "b": 5}, samples={"x": [2.0]}, histograms={"h": [0, 3]})
    assert merged([one, two]) == Outcome(
        counts={"a": 3, "b": 5}, samples={"x": [1.0, 2.0]}, histograms={"h": [1, 3]}
    )


def test_figures_of_a_standard_normal_are_nominal() -> None:
    outcome = null_outcome(z=np.random.default_rng(1).standard_normal(200_000))
    ratio = tail_ratio("z", 0.01)(outcome)
    assert ratio.low < 1 < ratio.high
    assert uniform_distance("z")(outcome).value < 1.63 / 200_000**0.5 + 1 / BINS


def test_figures_of_a_wide_normal_are_not() -> None:
    outcome = null_outcome(z=1.2 * np.random.default_rng(1).standard_normal(200_000))
    assert tail_ratio("z", 0.01)(outcome).low > 2
    assert uniform_distance("z")(outcome).low > 0.03


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(0, 20, 0, 0.1684), (20, 20, 0.8316, 1), (1, 10, 0.0025, 0.4450)],
)
def test_intervals_of_proportions_are_those_of_the_tables(
    hits: int, count: int, low: float, high: float
) -> None:
    """Clopper and Pearson's table, as in any textbook."""
    found = proportion(hits, count)
    assert [found.low, found.high] == pytest.approx([low, high], abs=1e-4)


def test_a_share_and_a_quantile_know_their_count() -> None:
    outcome = Outcome(counts={"found": 3, "all": 4}, samples={"x": [4.0, 1.0, 2.0, 3.0, 5.0]})
    assert (share("found", "all")(outcome).value, share("found", "all")(outcome).count) == (0.75, 4)
    middle = quantile("x", 0.5)(outcome)
    assert (middle.low, middle.value, middle.high, middle.count) == (1, 3, 5, 5)
