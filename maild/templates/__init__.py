"""Words: a mail's values and a language become subject, plain text and HTML.

Each mail has a pair of templates, `NAME.txt` (blocks `subject` and `body`) and `NAME.html` (block `body`), over
`layout.txt` and `layout.html`. They are packed with maild; a file of the same name in the operator's folder replaces
one. All are read at start; each is compiled for a language (`folding`) when a mail first needs it, and kept.
Translations are in `locale/LANGUAGE/maild.po` (`catalogues`).

Text from mails is only ever a value: nothing of it is compiled, HTML is autoescaped, an unknown variable is an error
(found by `Templates.check`, before any mail), and templates run in a sandbox that keeps them from reaching beyond the
values they are given. Templates themselves are the operator's, and trusted.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.support import NullTranslations
from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2 import Template as JinjaTemplate
from jinja2.meta import find_undeclared_variables
from jinja2.nodes import Import

from maild import resources
from maild.message.compose import clean
from maild.templates import catalogues, folding, outdated, style
from maild.templates.catalogues import Words
from maild.templates.mails import (
    Acknowledgement,
    Answer,
    FollowUp,
    Held,
    Mail,
    Notification,
    Purpose,
    Reminder,
    Resolved,
    Returned,
    Undelivered,
    Waiting,
)
from maild.templates.pieces import Action, Failure, Fault, Listed, Proof, Role, Said, Who
from maild.templates.replies import Prepared
from maild.templates.samples import samples
from maild.templates.sandbox import Sandbox
from maild.templates.sentences import SENTENCES

__all__ = [
    "Acknowledgement",
    "Action",
    "Answer",
    "BrokenTemplatesError",
    "Failure",
    "Fault",
    "FollowUp",
    "Held",
    "Listed",
    "Mail",
    "Notification",
    "Proof",
    "Purpose",
    "Reminder",
    "Rendered",
    "Resolved",
    "Returned",
    "Role",
    "Said",
    "Templates",
    "Undelivered",
    "Waiting",
    "Who",
    "samples",
]

LINE_LIMIT: Final = 400  # characters of a value that is one line; `compose` cuts subjects there too
_LONG: Final = frozenset({"text", "html", "words", "noted"})  # values that keep their lines
_SIMPLE: Final = frozenset({int, bool, type(None), datetime, date, timedelta, ZoneInfo})
_MOST: Final = frozenset({Purpose.ACKNOWLEDGEMENT, Purpose.NOTIFICATION, Purpose.ANSWER})
_SUFFIXES: Final = (".txt", ".html")
# Known to every template besides the fields of its mail, and besides what Jinja2 itself gives.
_GLOBALS: Final = frozenset(
    {"language", "dir", "left", "right", "gettext", "ngettext", "pgettext", "npgettext", "_", "_trans"}
)


class BrokenTemplatesError(Exception):
    """Templates or translations cannot be used; `faults` says what is wrong in each, one line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail in words."""

    subject: str
    text: str
    html: str


class Templates:
    """All templates in all languages."""

    def __init__(self, own: Path | None = None) -> None:
        """Read the packed templates and those of the operator's folder `own`.

        Raises:
            BrokenTemplatesError: one of them cannot be compiled, or a translation cannot be read.
        """
        packed = resources.resource("templates")
        self._folders = [packed] if own is None else [packed, own]
        self._paths = {path.name: path for folder in self._folders for path in folder.iterdir() if _is_template(path)}
        known = {path.name for path in packed.iterdir()}
        self._strays = [path for name, path in self._paths.items() if name not in known]
        self._catalogues, faults = catalogues.read(self._folders)
        self._sources: dict[str, str] = {}
        self._taken: set[str] = set()  # names that templates of the operator give a meaning of their own
        faults += list(self._read(packed))
        self.prepared: Final = Prepared(own)
        if faults:
            raise BrokenTemplatesError(faults)
        self.languages: Final = tuple(dict.fromkeys((catalogues.SOURCE, *sorted(self._catalogues))))
        self._spoken = {language: self._environment(language) for language in self.languages}

    def render(self, mail: Mail, language: str) -> Rendered:
        """Return `mail` in `language`, in English if it is not spoken here; its instants in its own zone."""
        spoken = self._speaker(language)
        values = _told(mail)
        html = spoken.get_template(f"{mail.purpose}.html").render(values)
        template = spoken.get_template(f"{mail.purpose}.txt")
        context = template.new_context(values)
        try:
            text = "".join(template.root_render_func(context))
            blocks = context.blocks.get("subject")  # the body's rendering found the inherited blocks
            subject = "".join(blocks[0](context)) if blocks else None
        except Exception:  # noqa: BLE001 - Jinja2's own way: it raises the same again, with the template's lines
            spoken.handle_exception()
        if subject is None:
            raise BrokenTemplatesError([f"{template.filename}: {language}: there is no block 'subject'"])
        return Rendered(clean(subject), text.strip("\n") + "\n", html.strip("\n") + "\n")

    def warm(self) -> None:
        """Compile what most mails lead to, so that the first letter is rendered as quickly as any other."""
        for mail in samples():
            if mail.purpose in _MOST:
                for language in self.languages:
                    self.render(mail, language)

    def check(self) -> list[str]:
        """Return what is wrong: every template is rendered in every language with sample values."""
        faults = [self._about_stray(path) for path in self._strays]
        faults += self._unknown_variables()
        faults += self.prepared.faults
        if pieces := list(self._outdated()):
            return [*faults, *pieces]  # else every mail that uses one is told of, too
        for language in self.languages:
            for mail in samples():
                try:
                    self.render(mail, language)
                except BrokenTemplatesError as error:
                    faults += error.faults
                except Exception as error:  # noqa: BLE001 - a template may raise anything, and all faults are wanted
                    faults.append(f"{_place(error) or mail.purpose}: {language}: {_words(error)}")
        return list(dict.fromkeys(faults))

    def files(self) -> Mapping[str, Path]:
        """Return the file of each template by its name; the operator's where he has one."""
        return dict(self._paths)

    def words(self) -> set[Words]:
        """Return the English words of all templates, and of what they are told in sentences, each with its context."""
        found: set[Words] = set()
        extract = _environment().extract_translations  # type: ignore[attr-defined]  # the i18n extension adds it
        for path in self._paths.values():
            for _, function, said in extract(path.read_text(encoding="utf-8")):
                one, *others = said if isinstance(said, tuple) else (said,)
                if one is None:  # a sentence that comes as a value
                    continue
                found.add((one, others[0]) if function in ("pgettext", "npgettext") else ("", one))
        return found | {("", each) for each in SENTENCES}

    def untranslated(self) -> dict[str, list[str]]:
        """Return by language the words that its catalogue lacks; they stay English in its mails."""
        wanted = sorted(self.words())
        return {language: catalogues.missing(found, wanted) for language, found in self._catalogues.items()}

    def superfluous(self) -> dict[str, list[str]]:
        """Return by language the words of its catalogue that no template says."""
        said = self.words()
        return {language: catalogues.superfluous(found, said) for language, found in self._catalogues.items()}

    def _speaker(self, language: str) -> Environment:
        """Return the environment of `language`, of its parent ("de" for "de-AT"), or of English."""
        tag = language.replace("_", "-")
        while tag and tag not in self._spoken:
            tag = tag.rpartition("-")[0]
        return self._spoken[tag or catalogues.SOURCE]

    def _read(self, packed: Path) -> Iterator[str]:
        """Read all templates, and yield what is wrong with those of the operator."""
        for name, path in self._paths.items():
            try:
                self._sources[name] = path.read_text(encoding="utf-8")
                if path.parent != packed:
                    tree = _environment().parse(self._sources[name], name, str(path))
                    self._taken.update(folding.assigned(tree))
                    _environment().compile(tree, name, str(path))
            except TemplateSyntaxError as error:
                yield f"{path}:{error.lineno}: {error.message}"
            except UnicodeDecodeError as error:
                yield f"{path}: {error}"

    def _environment(self, language: str) -> Environment:
        words = catalogues.translations(self._catalogues.get(language))
        right_to_left = style.is_right_to_left(language)
        fixed = {
            "language": language,
            "dir": "rtl" if right_to_left else "ltr",
            "left": "right" if right_to_left else "left",
            "right": "left" if right_to_left else "right",
        }

        def compiled(spoken: Environment, name: str) -> CodeType:
            path = str(self._paths[name])
            tree = spoken.parse(self._sources[name], name, path)
            folding.fold(tree, words.gettext, fixed, self._taken)
            return spoken.compile(tree, name, path)

        spoken = _environment(_Loader(self._sources, compiled), words)
        spoken.filters.update(style.filters(language))
        spoken.globals.update(fixed)
        return spoken

    def _about_stray(self, path: Path) -> str:
        near = get_close_matches(path.name, [name for name in self._paths if name != path.name], 1)
        return f"{path}: no mail has this name" + (f"; did you mean {near[0]}?" if near else "")

    def _outdated(self) -> Iterator[str]:
        """Yield what is wrong with the operator's own pieces that mails share."""
        packed = self._folders[0]
        for name, path in self._paths.items():
            if path.parent != packed and path.stem not in set(Purpose) and path not in self._strays:
                shipped = packed / name
                lacks = outdated.lacking(_environment(), self._sources[name], shipped.read_text(encoding="utf-8"))
                if lacks:
                    yield outdated.fault(path, shipped, lacks)

    def _unknown_variables(self) -> list[str]:
        by_purpose = {mail.purpose: set(_told(mail)) for mail in samples()}
        faults = []
        for name, path in self._paths.items():
            known = by_purpose.get(Purpose(path.stem)) if path.stem in set(Purpose) else None
            if known is None:  # layouts serve all mails: rendering finds their faults
                continue
            tree = _environment().parse(path.read_text(encoding="utf-8"), name, str(path))
            own = {each.target for each in tree.find_all(Import)}  # find_undeclared_variables forgets these in blocks
            for unknown in sorted(find_undeclared_variables(tree) - known - own - _GLOBALS):
                near = get_close_matches(unknown, known, 1)
                faults.append(
                    f"{path}: unknown variable {unknown!r}" + (f"; did you mean {near[0]!r}?" if near else "")
                )
        return faults


class _Loader(BaseLoader):
    """Compiles templates when they are first asked for."""

    def __init__(self, names: Collection[str], compiled: Callable[[Environment, str], CodeType]) -> None:
        self._names = names
        self._compiled = compiled

    def load(
        self,
        environment: Environment,
        name: str,
        globals: Any = None,  # noqa: A002 - Jinja2's signature
    ) -> JinjaTemplate:
        """Return the template `name` for `environment`."""
        if name not in self._names:
            raise TemplateNotFound(name)
        # a plain dict: Jinja2's own layers are looked through name by name at each import of each mail
        return environment.template_class.from_code(environment, self._compiled(environment, name), dict(globals or {}))


def _environment(loader: BaseLoader | None = None, words: NullTranslations | None = None) -> Environment:
    environment = Sandbox(
        loader=loader,
        autoescape=_is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        cache_size=-1,
        auto_reload=False,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.speak(words or NullTranslations())
    environment.filters.update(style.filters(catalogues.SOURCE))
    return environment


def _is_html(name: str | None) -> bool:
    return name is not None and name.endswith(".html")


def _is_template(path: Path) -> bool:
    return path.suffix in _SUFFIXES and path.is_file()


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    """Return the names of the fields of a dataclass, () of any other class."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def _told(mail: Any) -> dict[str, Any]:
    """Return the values of a dataclass as templates get them, by their names."""
    told = {name: getattr(mail, name) for name in _fields(mail.__class__)}
    for name, value in told.items():
        if value and value.__class__ not in _SIMPLE:
            told[name] = _plain(value, name)
    return told


def _plain(value: Any, name: str) -> object:
    """Return a value as templates get it: dataclasses as dictionaries, every string but the long ones as one line."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n") if name in _LONG else clean(value, LINE_LIMIT)
    if isinstance(value, tuple):
        return tuple([_plain(one, name) for one in value])
    if _fields(value.__class__):
        return _told(value)
    if isinstance(value, Mapping):
        return {inner: _plain(one, name) for inner, one in value.items()}
    return value


def _place(error: BaseException) -> str:
    """Return the file and line of the innermost template that `error` went through, "" if there is none."""
    place, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.endswith(_SUFFIXES):
            place = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, TemplateError) else f"{type(error).__name__}: {error}"
