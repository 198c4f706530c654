"""The smallest configuration, and what is read of it with more lines."""

import pytest

from maild.config import ConfigError, Settings, parse

SMALLEST = """
[smtp]
listen = "127.0.0.1:2525"
[[department]]
name = "support"
address = "support@acme.example"
[[agent]]
address = "anna@acme.example"
name = "Anna"
"""


def settings(*more: str, smallest: str = SMALLEST) -> Settings:
    return parse("\n".join((*more, smallest)))


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return [f"{fault.key}: {fault.expected}" for fault in caught.value.faults]
