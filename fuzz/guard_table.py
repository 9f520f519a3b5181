"""The guards: an edit that takes each out, and the tests that must fail then."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Guard:
    """`text`, which `file` holds once, becomes `without`; then one of `tests` must fail."""

    name: str
    file: str
    text: str
    without: str
    tests: tuple[str, ...]


REPLIES: Final = "inspector/source/replies.py"
RANGES: Final = "inspector/source/ranges.py"
CAREFUL: Final = "inspector/source/careful.py"
PATIENCE: Final = "inspector/source/patience.py"
HUB: Final = "inspector/source/hub.py"
REDIRECTED: Final = "inspector/source/redirected.py"
API: Final = "inspector/source/hub_api.py"
LOCAL: Final = "inspector/source/local.py"
OPEN_FILES: Final = "inspector/source/open_files.py"
SHELF: Final = "inspector/source/shelf.py"
LOCATE: Final = "inspector/checkpoint/locate.py"
DISCOVER: Final = "inspector/checkpoint/discover.py"
CLI: Final = "inspector/cli/guard.py"

WIRE: Final = "tests/source/test_wire.py::"
FAULTS: Final = "tests/source/test_faults.py::"
ON_DISK: Final = "tests/source/test_open_files.py::"
OF_SHELF: Final = "tests/source/test_shelf.py::"
WAITS: Final = "tests/source/test_patience.py::"
OF_HUB: Final = "tests/source/test_hub_source.py::"
LOCATED: Final = "tests/checkpoint/test_locate.py::"
PROCESS: Final = "tests/cli/test_process.py::"
UNSAFE: Final = "tests/checkpoint/test_unsafe_names.py"
LONG: Final = "tests/checkpoint/test_long_headers.py::"

_AFTER_429: Final = f"{WIRE}test_what_comes_after_a_429_is_looked_at_as_closely"

GUARDS: Final = (
    Guard("a shifted part", REPLIES, "if reply.span != wanted:", "if False:", (_AFTER_429,)),
    Guard(
        "a compressed part", REPLIES,
        'if reply.encoding not in (None, "", "identity"):', "if False:",
        (f"{WIRE}test_a_part_that_is_compressed_on_the_way_is_refused",),
    ),
    Guard(
        "a size other than listed", REPLIES,
        "if listed_size not in (None, reply.size):", "if False:",
        (f"{OF_HUB}test_a_size_other_than_the_listed_one_is_refused",),
    ),
    Guard(
        "a size that changes", REPLIES, "if old_size != size or (", "if (",
        (f"{WIRE}test_a_file_that_changes_between_two_reads_is_noticed",),
    ),
    Guard(
        "an ETag that changes", REPLIES, "old_etag not in (None, opaque)", "False",
        (f"{WIRE}test_a_file_that_changes_between_two_reads_is_noticed",),
    ),
    Guard(
        "410 is an expired URL", REPLIES, 'return AccessDenied(f"{where}: gone (410)',
        'return SourceError(f"{where}: gone (410)',
        (f"{WIRE}test_a_signed_url_is_renewed_once_when_it_has_expired",),
    ),
    Guard(
        "401 and 403 are an expired URL", REPLIES, "if status in (401, 403):", "if False:",
        (f"{WIRE}test_a_signed_url_is_renewed_once_when_it_has_expired",),
    ),
    Guard(
        "a body of another length", RANGES, "if len(body) != len(span):", "if False:",
        (f"{FAULTS}test_a_fault_ends_in_its_error",
         f"{WIRE}test_a_body_of_chunks_that_is_longer_than_its_part_is_refused"),
    ),
    Guard(
        "a whole file", RANGES,
        'if isinstance(error, NotSupportedError) and "Range" in text:', "if False:",
        (f"{WIRE}test_a_right_part_under_200_is_refused_with_a_clear_line",),
    ),
    Guard(
        "a redirect loop", RANGES, 'if "TooManyRedirects" in text:', "if False:",
        (f"{FAULTS}test_a_fault_ends_in_its_error",),
    ),
    Guard(
        "a certificate", RANGES, 'if "certificate" in text.lower():', "if False:",
        (f"{WIRE}test_a_certificate_that_nobody_trusts_is_one_line_and_no_request",),
    ),
    Guard(
        "a stalled server", RANGES,
        '"read_timeout": timedelta(seconds=self._patience.read_seconds)',
        '"read_timeout": timedelta(seconds=6)',
        (f"{FAULTS}test_a_fault_ends_in_its_error",),
    ),
    Guard(
        "a refused connection", RANGES, '"ConnectionRefused": "connection refused",', "",
        (f"{FAULTS}test_a_host_that_is_not_there_is_one_line",),
    ),
    Guard(
        "an unknown host", RANGES, '"dns error": "the host name cannot be resolved",', "",
        (f"{FAULTS}test_a_host_that_is_not_there_is_one_line",),
    ),
    Guard(
        "a signature in a message", RANGES, 'base = self.base.split("?")[0]', "base = self.base",
        (f"{FAULTS}test_an_expired_signed_url_is_denied_without_its_signature",),
    ),
    Guard(
        "User-Agent", RANGES, '"user_agent": USER_AGENT,', "",
        (f"{WIRE}test_connections_are_kept_and_every_request_says_who_asks",),
    ),
    Guard(
        "a whole file after a 429", CAREFUL, "if answer.status_code != 206:",
        "if answer.status_code not in (200, 206):", (_AFTER_429,),
    ),
    Guard(
        "jitter", PATIENCE, "* _JITTER.uniform(1.0, 1.25)", "",
        (f"{WAITS}test_waits_are_up_to_a_quarter_longer_by_chance",),
    ),
    Guard(
        "backoff", PATIENCE, "* 2 ** (attempt - 1)", "",
        (f"{WAITS}test_each_wait_is_twice_the_last",),
    ),
    Guard(
        "a stated pause", PATIENCE, "max(failure.pause or 0.0, backoff)", "backoff",
        (f"{WAITS}test_a_stated_pause_is_kept",),
    ),
    Guard(
        "Retry-After as a date", PATIENCE, "until = parsedate_to_datetime(value)",
        "raise ValueError", (f"{WAITS}test_a_pause_may_be_a_date",),
    ),
    Guard(
        "RateLimit", PATIENCE, "found and found.remaining == 0", "False",
        (f"{WAITS}test_what_a_server_says_of_a_pause",),
    ),
    Guard(
        "the total deadline", PATIENCE, "if time.monotonic() + pause > deadline:", "if False:",
        (f"{WAITS}test_nothing_is_asked_again_after_the_deadline",
         f"{WAITS}test_waits_add_up_to_the_deadline_at_most"),
    ),
    Guard(
        "so many attempts", PATIENCE, "if attempt >= allowed:", "if attempt >= 100:",
        (f"{WAITS}test_so_often_and_no_more",),
    ),
    Guard(
        "all wait with one", PATIENCE, "if failure.status in LIMIT_STATUSES:\n", "if False:\n",
        (f"{WAITS}test_other_requests_wait_with_the_one_that_was_refused",),
    ),
    Guard(
        "asking again", PATIENCE, "frozenset({408, 429, 500, 502, 503, 504})", "frozenset()",
        (f"{FAULTS}test_a_flaky_server_is_asked_again",),
    ),
    Guard(
        "renewing an expired URL", REDIRECTED,
        "except AccessDenied:\n", "except ZeroDivisionError:\n",
        (f"{WIRE}test_a_signed_url_is_renewed_once_when_it_has_expired",),
    ),
    Guard(
        "one resolving for many ranges", REDIRECTED,
        "if reader is None or reader is expired:", "if True:",
        (f"{OF_HUB}test_a_signed_url_is_resolved_once_for_many_ranges",),
    ),
    Guard(
        "no token for the CDN", REDIRECTED, "self._host.token_headers if is_own else {}",
        "self._host.token_headers",
        (f"{WIRE}test_a_renamed_repository_leads_to_the_cdn_and_the_token_stays",),
    ),
    Guard(
        "headers of another commit", HUB,
        "return headers if (commit or self.api.commit_of(MAIN)) == self.commit else None",
        "return headers",
        ("tests/checkpoint/test_one_request.py",),
    ),
    Guard(
        "a listing that goes on elsewhere", API,
        "            if _origin(url) != _origin(self.endpoint):\n                raise",
        "            if False:\n                raise",
        (f"{WIRE}test_a_listing_that_goes_on_at_another_host_is_not_followed",),
    ),
    Guard(
        "redirects within the hub", API, "if _origin(url) != _origin(self.endpoint):\n"
        "                return url", "if True:\n                return url",
        (f"{WIRE}test_a_renamed_repository_leads_to_the_cdn_and_the_token_stays",),
    ),
    Guard(
        "a gated repository", API, "if isinstance(error, GatedRepoError):", "if False:",
        (f"{OF_HUB}test_a_gated_repository_says_where_its_licence_is_and_what_was_sent",),
    ),
    Guard(
        "Ctrl-C while the main thread reads", "inspector/source/pool.py",
        "if threading.current_thread() is not threading.main_thread():", "if True:",
        (f"{PROCESS}test_ctrl_c_ends_a_stalled_read_at_once",),
    ),
    Guard(
        "Ctrl-C while 32 threads read", CLI,
        '_leave("s1inspect: interrupted", EXIT_INTERRUPTED)', "raise typer.Exit(130) from None",
        (f"{PROCESS}test_ctrl_c_ends_32_threads_that_read_from_a_stalled_server",),
    ),
    Guard(
        "a closed pipe", CLI, "except BrokenPipeError:", "except ZeroDivisionError:",
        (f"{PROCESS}test_a_closed_pipe_is_quiet",),
    ),
    Guard(
        "nothing left of an output", "inspector/source/replacing.py",
        "        Path(temporary).unlink(missing_ok=True)\n", "",
        (f"{PROCESS}test_an_output_that_does_not_fit_is_5_and_leaves_nothing",),
    ),
    Guard(
        "the cap of a header", "inspector/format/header.py", "if length > MAX_HEADER_BYTES:",
        "if False:",
        (f"{LONG}test_a_header_one_byte_over_the_limit_is_refused_by_the_first_read",),
    ),
    Guard(
        "nothing is read twice", "inspector/source/wrappers.py",
        "return held + self._inner.read(self._path, missing)",
        "return self._inner.read(self._path, span)",
        (f"{LONG}test_a_longer_header_than_guessed_costs_one_read_and_reads_nothing_twice",),
    ),
    Guard(
        "a shard elsewhere", "inspector/format/index.py", "if not is_safe_shard(name):",
        "if False:", (UNSAFE,),
    ),
    Guard(
        "a shard elsewhere, by name", DISCOVER,
        "if wanted and all(map(is_safe_shard, wanted)):", "if wanted:", (UNSAFE,),
    ),
    Guard(
        "a module that is cut", LOCATE,
        "if len(found) < _FEWEST_MODULES or any(rest - own for rest in found.values()):",
        "if False:",
        (f"{LOCATED}test_a_module_that_lacks_what_its_neighbours_have_is_looked_for_everywhere",),
    ),
    Guard(
        "a neighbour before the module", LOCATE,
        "if left > 0 and any(-1 not in found for found in sides):", "if False:",
        (f"{LOCATED}test_a_module_across_two_shards_is_found_from_either",),
    ),
    Guard(
        "a neighbour behind the module", LOCATE, "and any(1 not in found for found in sides)",
        "and False",
        (f"{LOCATED}test_a_module_across_two_shards_is_read_from_both",),
    ),
    Guard(
        "a second tower", LOCATE, "for found in places.values() for place in found}) != 1:",
        "for found in places.values() for place in found}) < 1:",
        (f"{LOCATED}test_a_second_tower_that_is_seen_makes_the_target_ambiguous_as_everywhere",),
    ),
    Guard(
        "codes without their scale", LOCATE,
        "        pairing.parts_of(row)\n", "        True\n",
        (f"{LOCATED}test_scales_that_lie_in_a_shard_of_their_own_are_found",),
    ),
    Guard(
        "a cache that cannot be written", "inspector/source/access.py",
        "        except OutputError as error:\n", "        except ZeroDivisionError as error:\n",
        (f"{PROCESS}test_a_cache_that_does_not_fit_is_one_warning_and_the_answer_comes",),
    ),
    Guard(
        "an entry of another version", SHELF, "if head.tool_version != __version__:", "if False:",
        (f"{OF_SHELF}test_an_entry_of_another_version_is_as_good_as_absent_and_replaced",),
    ),
    Guard(
        "an entry under another's name", SHELF, "if head.label != label or checksum", "if checksum",
        (f"{OF_SHELF}test_an_entry_under_anothers_name_is_not_believed",),
    ),
    Guard(
        "a damaged entry", SHELF, "or checksum != _checksum(text, content):", "or False:",
        (f"{OF_SHELF}test_no_changed_byte_of_an_entry_is_believed",),
    ),
    Guard(
        "a change of a file that was kept", "inspector/checkpoint/keeping.py",
        "elif not self._is_pinned and not self._is_current(kept):", "elif False:",
        ("tests/checkpoint/test_keeping.py::test_a_change_on_disk_is_read_again",),
    ),
    Guard(
        "a shard that is missing", "inspector/catalog/agreement.py",
        "found = _check_files(", "found = [] if True else _check_files(",
        ("tests/format/test_rules.py::test_a_hostile_checkpoint_is_reported_for_its_rule_alone",),
    ),
    Guard(
        "a file on disk that changes", LOCAL,
        "if (before.st_size, before.st_mtime_ns) != (status.st_size, status.st_mtime_ns):",
        "if False:",
        (f"{ON_DISK}test_a_file_that_was_replaced_while_it_was_closed_is_noticed",),
    ),
    Guard(
        "a file on disk that is being read", OPEN_FILES, " if not file.readers]", "]",
        (f"{ON_DISK}test_a_file_that_is_read_is_not_closed_before_it_is_given_back",),
    ),
)  # fmt: skip
"""Every fault of a server, a disk or a person that has a guard, with it."""
