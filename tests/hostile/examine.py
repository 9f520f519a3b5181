"""Every problem of a checkpoint in memory: header rules, rules across shards, index rules."""

from inspector.catalog import CatalogBuilder
from inspector.catalog.agreement import check_across_shards, check_index
from inspector.errors import FormatError, Problem
from inspector.format.header import LENGTH_PREFIX, check_header, header_span, parse_header
from inspector.format.index import INDEX_NAME, parse_index
from tests.hostile.build import Files


def problems_of_shard(content: bytes, *, shard: str) -> list[Problem]:
    """What is wrong with one file."""
    size = len(content)
    try:
        span = header_span(content[: len(LENGTH_PREFIX)], shard=shard, file_size=size)
    except FormatError as error:
        return list(error.problems)
    return check_header(content[span.start : span.stop], shard=shard, file_size=size)


def problems_of(files: Files) -> list[Problem]:
    """What is wrong with a checkpoint. Shards that cannot be read are left out of the catalog."""
    found: list[Problem] = []
    builder = CatalogBuilder()
    sizes = {name: len(files[name]) for name in files if name.endswith(".safetensors")}
    for name, size in sizes.items():
        problems = problems_of_shard(files[name], shard=name)
        found += problems
        if not problems:
            span = header_span(files[name], shard=name)
            text = files[name][span.start : span.stop]
            builder.add(parse_header(text, shard=name, file_size=size))
    catalog = builder.build()
    found += check_across_shards(catalog)
    if INDEX_NAME in files:
        try:
            index = parse_index(files[INDEX_NAME], file=INDEX_NAME)
        except FormatError as error:
            return found + list(error.problems)
        found += check_index(catalog, index, sizes)
    return found
