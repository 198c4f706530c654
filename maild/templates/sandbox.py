"""The sandbox in which templates run, with a short way for what every mail does.

Jinja2's own asks of each value and each call whether it is safe, which is needed for what a template might reach in
objects. Our values are dictionaries, tuples and plain values, and what is called are macros and the functions of
gettext: those need no asking. All else goes the library's way.
"""

from collections.abc import Callable
from types import BuiltinMethodType, FunctionType
from typing import Any, Final

from babel.support import NullTranslations
from jinja2 import nodes, pass_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.environment import TemplateModule
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

KEPT: Final = 5_000  # translated words; all templates together say some hundred

_OF_DICTIONARIES: Final = frozenset(dir(dict))  # `names.get` is the method, even if there is a key of that name
_OF_LOOPS: Final = frozenset({"first", "last", "index", "index0", "length"})  # plain values
_Say = Callable[..., str]


class _Generator(CodeGenerator):
    """Escapes what HTML says without making a `Markup` of it first, since it is joined at once."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        if frame.eval_ctx.autoescape and not frame.eval_ctx.volatile and finalize.src is None:
            self.write("environment.escaped(")
        else:
            super()._output_child_pre(node, frame, finalize)


class Sandbox(ImmutableSandboxedEnvironment):
    """Keeps templates from reaching beyond the values that they are given."""

    code_generator_class = _Generator
    _ours: frozenset[_Say] = frozenset()

    def speak(self, words: NullTranslations) -> None:
        """Translate by `words`. To be told before anything is compiled: the newer style escapes what a value brings."""
        self.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]  # by the extension i18n
        gettext, pgettext = _gettext(words), _pgettext(words)
        self.globals.update(gettext=gettext, _=gettext, pgettext=pgettext)
        self._ours = frozenset((gettext, pgettext))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return `obj.attribute` of a template."""
        kind = type(obj)
        if kind is dict:
            if attribute == "get":
                return obj.get
            if attribute in obj and attribute not in _OF_DICTIONARIES:
                return obj[attribute]
        if kind is TemplateModule and not attribute.startswith("_") and attribute in obj.__dict__:
            return obj.__dict__[attribute]  # a macro or a value of an imported template
        if kind is LoopContext and attribute in _OF_LOOPS:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return `obj[argument]` of a template."""
        if type(obj) is dict and type(argument) is str and argument in obj:
            return obj[argument]
        return super().getitem(obj, argument)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Return what `obj(*args, **kwargs)` of a template gives."""
        kind = type(obj)
        if kind is Macro:
            args = (context.eval_ctx, *args)
        elif kind is FunctionType and obj in self._ours:
            args = (context, *args)
        elif not (kind is BuiltinMethodType and obj.__name__ == "get" and type(obj.__self__) is dict):
            return super().call(context, obj, *args, **kwargs)
        kwargs.pop("_block_vars", None)  # what Jinja2 passes to functions that look at the context's variables
        kwargs.pop("_loop_vars", None)
        return obj(*args, **kwargs)

    @staticmethod
    def escaped(value: Any) -> str:
        """Return a value as it stands in HTML."""
        kind = type(value)
        if kind is Markup:
            return value  # type: ignore[no-any-return]  # a text, as is asked
        if kind is not str or "&" in value or "<" in value or ">" in value or '"' in value or "'" in value:
            return str(escape(value))
        return value  # type: ignore[no-any-return]  # as above


def _gettext(words: NullTranslations) -> _Say:
    """Return the `gettext` of templates; where nothing is to be filled in the words are made once."""
    kept: dict[tuple[str, bool], str] = {}

    @pass_context
    def gettext(context: Context, said: str, /, **variables: Any) -> str:
        key = said, context.eval_ctx.autoescape
        done = None if variables else kept.get(key)
        if done is None:
            done = _filled(words.gettext(said), context, variables)
            if not variables and len(kept) < KEPT:
                kept[key] = done
        return done

    return gettext


def _pgettext(words: NullTranslations) -> _Say:
    @pass_context
    def pgettext(context: Context, about: str, said: str, /, **variables: Any) -> str:
        return _filled(str(words.pgettext(about, said)), context, {"context": about, **variables})

    return pgettext


def _filled(said: str, context: Context, variables: dict[str, Any]) -> str:
    return (Markup(said) if context.eval_ctx.autoescape else said) % variables  # noqa: S704 - the operator's own words
