import pytest

from inspector.catalog import Catalog, CatalogBuilder
from inspector.catalog.agreement import check_across_shards, check_index, check_series
from inspector.errors import Problem
from inspector.format.dtypes import Dtype
from inspector.format.header import Header, TensorEntry
from inspector.format.index import Index
from inspector.format.spans import Span

FILES = {"1": 20, "2": 20}


def catalog_of(**names_by_shard: str) -> Catalog:
    """One byte for each one-letter tensor; shard `1` is given as `s1`."""
    builder = CatalogBuilder()
    for shard, names in names_by_shard.items():
        entries = [TensorEntry(name, Dtype.U8, (), 16 + n, 17 + n) for n, name in enumerate(names)]
        builder.add(Header.of(shard.removeprefix("s"), Span(8, 16), None, entries))
    return builder.build()


def index_of(total_size: int | None = None, **shard_by_name: str) -> Index:
    return Index("i", shard_by_name, total_size)


def facts(problems: list[Problem]) -> list[tuple[str, str | None, str | None]]:
    return [(found.rule, found.where.shard, found.where.tensor) for found in problems]


def test_a_checkpoint_and_its_index_agree() -> None:
    catalog = catalog_of(s1="ab", s2="c")
    index = index_of(a="1", b="1", c="2", total_size=3)
    assert check_across_shards(catalog) == []
    assert check_index(catalog, index, FILES) == []


def test_nothing_agrees_with_an_empty_index() -> None:
    catalog = catalog_of()
    assert check_across_shards(catalog) == []
    assert check_index(catalog, index_of(total_size=0), {}) == []


def test_each_further_shard_of_a_tensor_is_a_duplicate() -> None:
    catalog = catalog_of(s3="bxa", s1="ayb", s2="za")
    assert facts(check_across_shards(catalog)) == [
        ("duplicate_tensor_across_shards", "2", "a"),
        ("duplicate_tensor_across_shards", "3", "a"),
        ("duplicate_tensor_across_shards", "3", "b"),
    ]


def test_names_that_differ_in_a_leading_zero_are_no_duplicates() -> None:
    builder = CatalogBuilder()
    for shard, name in [("1", "l.7.w"), ("2", "l.07.w"), ("3", "l.7"), ("4", "l.8.w")]:
        entry = TensorEntry(name, Dtype.U8, (), 16, 17)
        builder.add(Header.of(shard, Span(8, 16), None, (entry,)))
    assert check_across_shards(builder.build()) == []


def test_a_duplicate_that_the_index_places_right_is_not_absent() -> None:
    """The tensor was said to be absent from its shard if another shard held it too."""
    catalog = catalog_of(s1="ab", s2="bc")
    index = index_of(a="1", b="1", c="2")
    assert check_index(catalog, index, FILES) == []
    assert facts(check_across_shards(catalog)) == [("duplicate_tensor_across_shards", "2", "b")]


def test_a_tensor_in_another_shard_than_the_index_says_is_absent() -> None:
    catalog = catalog_of(s1="ab", s2="c")
    (found,) = check_index(catalog, index_of(a="1", b="2", c="2"), FILES)
    assert facts([found]) == [("index_tensor_absent", "2", "b")]
    assert (found.expected, found.found) == ("in 2", "in 1")


def test_a_missing_shard_is_one_problem_with_the_count_of_its_tensors() -> None:
    catalog = catalog_of(s1="a")
    index = index_of(a="1", b="2", c="2", total_size=3)
    (found,) = check_index(catalog, index, {"1": 20})
    assert facts([found]) == [("missing_shard", "2", None)]
    assert "2 tensors" in found.message


def test_tensors_of_a_shard_that_could_not_be_read_are_not_absent() -> None:
    """Its header is one problem already; each of its tensors was one more."""
    catalog = catalog_of(s1="a")
    assert check_index(catalog, index_of(a="1", b="2", total_size=2), FILES) == []


def test_a_shard_without_tensors_lacks_those_the_index_places_there() -> None:
    catalog = catalog_of(s1="a", s2="")
    found = check_index(catalog, index_of(a="1", b="2"), FILES)
    assert facts(found) == [("index_tensor_absent", "2", "b")]


def test_a_file_that_the_index_does_not_name_is_reported_once() -> None:
    catalog = catalog_of(s1="a")
    found = check_index(catalog, index_of(a="1", total_size=1), {"1": 20, "consolidated": 99})
    assert facts(found) == [("shard_not_in_index", "consolidated", None)]


def test_every_tensor_that_the_index_leaves_out_is_reported() -> None:
    found = check_index(catalog_of(s1="abc"), index_of(b="1"), {"1": 20})
    assert facts(found) == [("tensor_not_in_index", "1", "a"), ("tensor_not_in_index", "1", "c")]


def test_a_total_that_is_not_the_sum_is_reported_with_both_numbers() -> None:
    (found,) = check_index(catalog_of(s1="ab"), index_of(a="1", b="1", total_size=4), {"1": 20})
    assert (found.rule, found.expected, found.found) == ("total_size_mismatch", "2", "4")


def test_a_total_may_leave_out_what_the_index_leaves_out() -> None:
    """One tensor too many in a shard was two findings: the tensor, and the total without it."""
    catalog = catalog_of(s1="ab", s2="b")
    for total in (2, 3):
        index = index_of(a="1", b="2", total_size=total)
        assert check_index(catalog, index, FILES) == []
    index = index_of(a="1", b="1", total_size=4)
    assert [found.rule for found in check_index(catalog_of(s1="abc"), index, {"1": 20})] == [
        "tensor_not_in_index", "total_size_mismatch"
    ]  # fmt: skip


def test_a_total_is_not_judged_where_a_tensor_is_absent_or_a_shard_in_doubt() -> None:
    index = index_of(a="1", b="1", total_size=9)
    assert [found.rule for found in check_index(catalog_of(s1="a"), index, {"1": 20})] == [
        "index_tensor_absent"
    ]
    assert check_index(catalog_of(s1="ab"), index, {"1": 20}, unsound={"1"}) == []


def test_a_name_that_leaves_the_checkpoint_is_no_missing_shard_and_may_mean_any_file() -> None:
    index = index_of(a="1", b="../2")
    assert check_index(catalog_of(s1="a"), index, {"1": 20, "2": 20}) == []


@pytest.mark.parametrize(
    ("files", "absent", "found"),
    [
        (["m-1-of-3.safetensors", "m-3-of-3.safetensors"], "m-2-of-3.safetensors", "2"),
        (["m-00001-of-000163.safetensors"], "m-00002-of-000163.safetensors", "1"),
        (["m-00000-of-00002.safetensors"], "m-00001-of-00002.safetensors", "1"),
        (["m-00002-of-00002.safetensors", "x.safetensors"], "m-00001-of-00002.safetensors", "1"),
    ],
    ids=["gap", "two widths", "from zero", "first"],
)
def test_names_that_count_more_files_than_there_are_name_the_first_that_is_absent(
    files: list[str], absent: str, found: str
) -> None:
    (one,) = check_series(files)
    assert (one.rule, one.where.shard, one.found) == ("incomplete_series", absent, found)


@pytest.mark.parametrize(
    "files",
    [
        [],
        ["model.safetensors"],
        ["m-1-of-2.safetensors", "m-2-of-2.safetensors"],
        ["m-0-of-2.safetensors", "m-1-of-2.safetensors"],
        ["m-0-of-1.safetensors", "m-1-of-1.safetensors"],
        ["m-1-of-0.safetensors"],
        ["m-1-of-1.safetensors", "n-1-of-2.safetensors", "n-2-of-2.safetensors"],
        ["m-1-of-" + "9" * 40 + ".safetensors"],
    ],
    ids=["none", "single", "complete", "from zero", "more", "of none", "two series", "no number"],
)
def test_names_that_count_the_files_that_are_there_are_no_finding(files: list[str]) -> None:
    assert check_series(files) == []
