"""What a language fixes is written out before a template is compiled: its words, and how it is laid out.

    {% trans %}Hello {{ name }},{% endtrans %}   ->   Guten Tag {{ name }},
    align="{{ left }}"                           ->   align="left"

So nothing is looked up when a mail is written, and what stands between two values is one piece of text. A template says
the same as before: where writing out could change it or hide a fault, it is left as it is, to be said or to fail when
the mail is written.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

_GETTEXT: Final = frozenset({"gettext", "_"})
_HOLE: Final = re.compile(r"%%|%\((\w+)\)s|%")


def fold(tree: nodes.Template, words: Callable[[str], str], fixed: Mapping[str, str], taken: Iterable[str]) -> None:
    """Write out in `tree` what `words` translates and the names of `fixed`.

    Names that have another meaning, in this template or as others are `taken`, are looked up as ever.
    """
    taken = frozenset((*taken, *assigned(tree)))
    folding = _Folding(words, _GETTEXT - taken, {name: value for name, value in fixed.items() if name not in taken})
    folding.visit(tree)
    for node in (tree, *tree.find_all((nodes.Block, nodes.If, nodes.For, nodes.Macro, nodes.With, nodes.AssignBlock))):
        for name in ("body", "else_"):
            if statements := getattr(node, name, None):
                statements[:] = _joined(statements)


def assigned(tree: nodes.Template) -> Iterator[str]:
    """Yield the names to which a template gives a meaning of its own."""
    for name in tree.find_all(nodes.Name):
        if name.ctx != "load":
            yield name.name
    for macro in tree.find_all(nodes.Macro):
        yield macro.name
    for imported in tree.find_all(nodes.Import):
        yield imported.target
    for some in tree.find_all(nodes.FromImport):
        yield from (each if isinstance(each, str) else each[1] for each in some.names)


class _Folding(NodeTransformer):
    def __init__(self, words: Callable[[str], str], gettext: frozenset[str], fixed: Mapping[str, str]) -> None:
        self._words = words
        self._gettext = gettext
        self._fixed = fixed

    def visit_Name(self, node: nodes.Name) -> nodes.Expr:  # noqa: N802 - Jinja2's way to name visitors
        if node.ctx == "load" and node.name in self._fixed:
            return nodes.Const(self._fixed[node.name], lineno=node.lineno)
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Expr:  # noqa: N802 - as above
        self.generic_visit(node)
        pieces = self._pieces(node)
        if len(pieces) > 1:
            return nodes.Concat(pieces, lineno=node.lineno)
        # a value alone would lose that it is escaped
        return pieces[0] if pieces and isinstance(pieces[0], nodes.TemplateData) else node

    def visit_Output(self, node: nodes.Output) -> nodes.Output:  # noqa: N802 - as above
        said: list[nodes.Expr] = []
        for each in node.nodes:
            if isinstance(each, nodes.Call):
                self.generic_visit(each)
                said += self._pieces(each) or [each]
            else:
                said.append(self.visit(each))
        node.nodes = said
        return node

    def _pieces(self, node: nodes.Call) -> list[nodes.Expr]:
        """Return what a call of `gettext` says, in order; nothing if that is known only when it is called."""
        if not (isinstance(node.node, nodes.Name) and node.node.name in self._gettext):
            return []
        if len(node.args) != 1 or not isinstance(node.args[0], nodes.Const) or node.dyn_args or node.dyn_kwargs:
            return []
        said, values = self._words(node.args[0].value), {each.key: each.value for each in node.kwargs}
        pieces: list[nodes.Expr] = []
        text, end = "", 0
        for hole in _HOLE.finditer(said):
            text += said[end : hole.start()]
            end = hole.end()
            if hole[0] == "%%":
                text += "%"
            elif hole[1] in values:
                pieces += [*_data(text, node), values[hole[1]]]
                text = ""
            else:
                return []  # not well formed: it fails with its place when it is said, as `Templates.check` does
        return [*pieces, *_data(text + said[end:], node)]


def _data(text: str, node: nodes.Node) -> list[nodes.Expr]:
    return [nodes.TemplateData(text, lineno=node.lineno)] if text else []


def _joined(statements: list[nodes.Node]) -> list[nodes.Node]:
    """Return statements with those that only say something joined to one another."""
    joined: list[nodes.Node] = []
    for each in statements:
        if isinstance(each, nodes.Output) and joined and isinstance(joined[-1], nodes.Output):
            joined[-1].nodes += each.nodes
        else:
            joined.append(each)
    return joined
