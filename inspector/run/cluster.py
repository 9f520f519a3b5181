"""Tasks done by the workers of a Dask scheduler, through its executor.

What travels is tasks: names of checkpoints and files, spans, parameters. No token does: each worker
has its own. dask is loaded when a scheduler is named.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from inspector.errors import SourceError, UsageError
from inspector.run.tasks import Crew, call_at_worker
from inspector.source.base import Ledger

if TYPE_CHECKING:
    from distributed import Client

_AHEAD: Final = 2
"""Tasks for each thread of a worker: one at work, one waiting beside it."""

_FEWEST: Final = 4
"""Tasks that are sent before there is any worker: the scheduler keeps them for the first."""

_ANSWER_SECONDS: Final = 10

_EXTRA: Final = "pip install 's1inspect[dask]'"


@contextmanager
def crew_at(address: str, ledger: Ledger, say: Callable[[str], None]) -> Iterator[Crew]:
    """The workers of the scheduler at `address`.

    Where a worker dies, the scheduler gives its tasks to others. TLS is set up as Dask's own
    configuration says.

    Raises:
        UsageError: dask.distributed is not installed, `address` is none, or what is sent cannot be
            loaded there.
        SourceError: no scheduler answers, it is lost, or worker after worker dies of one task.
    """
    try:
        from distributed import KilledWorker
    except ImportError as error:
        raise UsageError(
            "--scheduler needs dask.distributed, which is not installed", hint=_EXTRA
        ) from error
    client = _connected(address)
    try:
        if not client.nthreads():
            say(f"{address}: no worker yet; waiting for the first")
        executor = client.get_executor(pure=False)
        try:
            yield Crew(executor, call_at_worker, lambda: _width(client), ledger)
        finally:
            executor.shutdown(wait=False)
    except KilledWorker as error:
        raise SourceError(
            f"{address}: {_first_line(error)}",
            hint="a worker may need more memory; what is finished is in the folder of --out",
        ) from error
    except CancelledError as error:
        raise SourceError(
            f"{address}: the scheduler was lost",
            hint="what is finished is in the folder of --out: the same command goes on",
        ) from error
    except (ImportError, RuntimeError) as error:
        raise _unloaded(address, error) from error
    finally:
        client.close(timeout=_ANSWER_SECONDS)


def _unloaded(address: str, error: Exception) -> Exception:
    """What it means that a task cannot be loaded there; another error as it is."""
    line = _first_line(error)
    if isinstance(error, ImportError) or "deserializ" in line:
        return UsageError(
            f"{address}: what is sent cannot be loaded there: {line}",
            hint=f"one s1inspect for scheduler, workers and this command: {_EXTRA}",
        )
    return error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _connected(address: str) -> "Client":
    from distributed import Client

    if "://" not in address:
        raise UsageError(
            f"--scheduler {address}: not an address", hint="for example tcp://10.0.0.1:8786"
        )
    try:
        return Client(address, timeout=_ANSWER_SECONDS, set_as_default=False)
    except OSError as error:
        raise SourceError(
            f"{address}: no scheduler answers", hint="start one with: dask scheduler"
        ) from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"--scheduler {address}: {_first_line(error)}") from error


def _width(client: "Client") -> int:
    """How many tasks to have sent, for the workers that there are now."""
    threads: dict[str, int] = client.nthreads()
    return max(_FEWEST, _AHEAD * sum(threads.values()))
