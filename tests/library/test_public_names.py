import subprocess
import sys
from pathlib import Path

import inspector
from inspector import errors


def test_names_are_sorted_and_all_of_them_are_there() -> None:
    assert list(inspector.__all__) == sorted(inspector.__all__)
    assert dir(inspector) == inspector.__all__
    assert [name for name in inspector.__all__ if getattr(inspector, name, None) is None] == []


def test_every_exception_of_the_tree_is_exported() -> None:
    def below(kind: type[Exception]) -> set[str]:
        return {kind.__name__}.union(*(below(one) for one in kind.__subclasses__()))

    ours = {name for name in below(errors.InspectorError) if hasattr(errors, name)}
    assert ours - set(inspector.__all__) == set()


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    assert not hasattr(inspector, "open_shelf")


def test_importing_the_package_loads_none_of_it() -> None:
    """`--help` imports it too, and must not wait for numpy."""
    code = "import sys, inspector; print(*sorted(m for m in sys.modules if 'inspector' in m))"
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["inspector"]


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(inspector.__file__).parent / "py.typed").is_file()
