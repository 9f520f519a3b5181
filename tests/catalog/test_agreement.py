from inspector.catalog import Catalog, CatalogBuilder
from inspector.catalog.agreement import check_across_shards, check_index
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
