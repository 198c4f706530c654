"""The log: one line a fact, and never the end of what it tells of."""

import io
import logging

import structlog

from maild import logs


def test_a_line_names_what_it_is_about_and_forges_no_second_one() -> None:
    stream = io.StringIO()
    logs.configure(stream)

    structlog.get_logger().info("open", mail=17, why="a\nnew request")

    assert " info    mail 17: open why=" in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_what_a_command_does_is_not_logged_beside_its_answer() -> None:
    stream = io.StringIO()
    logs.configure(stream, level=logging.WARNING)

    structlog.get_logger().info("changed", ticket=1)
    logging.getLogger("library").info("chatter")
    structlog.get_logger().warning("lease lost")

    assert stream.getvalue().count("\n") == 1
    assert "lease lost" in stream.getvalue()


class _FullDisk(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


def test_where_no_line_can_be_written_the_work_goes_on() -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (_FullDisk(), closed):
        facts = logs.Facts()
        logs.configure(stream, facts=facts)

        structlog.get_logger().info("open", mail=17)
        logging.getLogger("library").warning("away")

        assert facts.counts() == {("info", "open"): 1}
