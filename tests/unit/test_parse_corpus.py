"""Every mail of `tests/corpus/parse` reads as the JSON file beside it says.

An expectation names only what its mail is there to show. Addresses are [name, address]; `defects` must all be found,
and no others where the list is empty; an attachment is compared in the fields that are named.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from maild.message.address import Address
from maild.message.parse import Attachment, Message, parse

CORPUS = Path(__file__).parent.parent / "corpus" / "parse"
NAMES = sorted(path.stem for path in CORPUS.glob("*.eml"))


@pytest.mark.parametrize("name", NAMES)
def test_each_oddity_reads_as_its_writer_meant_it(name: str) -> None:
    expected = json.loads((CORPUS / f"{name}.json").read_text(encoding="utf-8"))
    message = parse((CORPUS / f"{name}.eml").read_bytes())

    found = {key: found_of(message, key, wanted) for key, wanted in expected.items()}

    assert found == expected


def found_of(message: Message, key: str, wanted: Any) -> Any:
    """Return what `message` says to `key`, in the form in which `wanted` stands."""
    match key:
        case "from":
            return [list(one) for one in message.froms]
        case "to" | "cc" | "reply_to":
            return [list(one) for one in getattr(message, key)]
        case "sender":
            return list(message.sender or Address("", ""))
        case "in_reply_to" | "references":
            return list(getattr(message, key))
        case "date":
            return message.date.isoformat() if message.date else None
        case "attachments":
            shapes = [*wanted, *[{"name": None}] * (len(message.attachments) - len(wanted))]
            return [found_in(one, shape) for one, shape in zip(message.attachments, shapes, strict=False)]
        case "text_contains" | "html_contains":
            return [piece for piece in wanted if piece in getattr(message, key.partition("_")[0])]
        case "text_excludes":
            return [piece for piece in wanted if piece not in message.text]
        case "defects":
            return [defect for defect in wanted if defect in message.defects] if wanted else list(message.defects)
        case _:
            return getattr(message, key)


def found_in(attachment: Attachment, shape: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `attachment` that `shape` has."""
    fields = {
        "name": attachment.name or None,
        "content_type": attachment.content_type,
        "inline": attachment.inline,
        "content_id": attachment.content_id,
        "size": attachment.size_bytes,
        "content": attachment.content().decode("utf-8", "replace"),
    }
    return {key: fields[key] for key in shape}


def test_no_expectation_stands_without_its_mail() -> None:
    assert sorted(path.stem for path in CORPUS.glob("*.json")) == NAMES
