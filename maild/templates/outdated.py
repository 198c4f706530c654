"""What an operator's own pieces lack that the shipped mails take from them: they were copied from another maild.

Only what mails share is looked at (`parts`, `names`, `layout` ...): a macro with its parameters, a block, a table of
names with its keys. Rendering would find the same, mail by mail and in files that are not the operator's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, nodes

MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class _Offer:
    """What others may take from a template: the parameters of a macro, the keys of a table."""

    names: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()  # parameters without a default

    def serves(self, wanted: "_Offer") -> bool:
        return wanted.names <= self.names and self.needed <= wanted.names


def lacking(environment: Environment, own: str, shipped: str) -> tuple[str, ...]:
    """Return what the template `shipped` offers others, and `own` does not in the same way."""
    here = dict(_offers(environment.parse(own)))
    offered = _offers(environment.parse(shipped))
    return tuple(name for name, offer in offered if name not in here or not here[name].serves(offer))


def fault(path: Path, shipped: Path, lacks: tuple[str, ...]) -> str:
    """Return in a line what is wrong with the operator's file, and what helps."""
    named = ", ".join(lacks[:MOST_NAMED]) + (" ..." if len(lacks) > MOST_NAMED else "")
    return (
        f"{path}: made for another version of maild: the mails need {named} as {shipped} has them; "
        "take them over from there, or remove your file"
    )


def _offers(tree: nodes.Template) -> Iterator[tuple[str, _Offer]]:
    for macro in tree.find_all(nodes.Macro):
        names = [each.name for each in macro.args]
        yield macro.name, _Offer(frozenset(names), frozenset(names[: len(names) - len(macro.defaults)]))
    for block in tree.find_all(nodes.Block):
        yield f"block {block.name}", _Offer()
    for given in tree.body:
        if isinstance(given, nodes.Assign) and isinstance(given.target, nodes.Name):
            items = given.node.items if isinstance(given.node, nodes.Dict) else ()
            keys = (each.key.value for each in items if isinstance(each.key, nodes.Const))
            yield given.target.name, _Offer(frozenset(map(str, keys)))
