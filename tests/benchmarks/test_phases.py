import time

from benchmarks.phases import FIRST, LAST, Watch


def test_seconds_go_to_what_happened_meanwhile() -> None:
    watch = Watch()
    with watch.waiting(), watch.reading() as note:
        time.sleep(0.02)
        note(5)
    watch.enter("computing")
    with watch.reading():
        time.sleep(0.02)
    watch.enter(LAST)
    first, second = watch.phases[FIRST], watch.phases["computing"]
    assert (first.requests, first.bytes, second.requests) == (1, 5, 1)
    assert first.waiting >= 0.02
    assert first.both <= first.computing
    assert second.waiting == 0
    assert second.computing >= second.both >= 0.02
    assert second.wall == second.computing
