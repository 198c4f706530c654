"""Which journal is safe with which SQLite library."""

import pytest

from maild.store.engine import journal_for, wal_reset_fixed


@pytest.mark.parametrize(
    ("version", "fixed"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 54, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_which_libraries_are_free_of_the_fault_that_loses_commits(version: tuple[int, ...], fixed: bool) -> None:
    assert wal_reset_fixed(version) is fixed


@pytest.mark.parametrize(
    ("version", "lockable", "journal", "why"),
    [
        ((3, 51, 3), True, ("WAL", "FULL"), "SQLite 3.51.3 has the fix"),
        ((3, 40, 1), True, ("WAL", "FULL"), "a lock file lets one process write at a time"),
        ((3, 40, 1), False, ("DELETE", "EXTRA"), "files cannot be locked here"),
    ],
)
def test_the_journal_is_the_quickest_that_is_safe_and_says_why(
    version: tuple[int, ...], lockable: bool, journal: tuple[str, str], why: str
) -> None:
    chosen = journal_for(version, lockable=lockable)

    assert (chosen.mode, chosen.synchronous) == journal
    assert why in chosen.reason
