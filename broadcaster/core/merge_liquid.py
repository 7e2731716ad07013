"""Liquid that cannot harm: few tags, few filters, no file loading, and bounds that count over one whole render.

The library's own limits count loops one by one and know nothing of filters; here every round and every character
a filter makes is counted. What Python may raise on a hostile text still has to be caught by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NoReturn

from liquid import BoundTemplate, Environment, Node, RenderContext, TokenStream, Undefined
from liquid.builtin import DictLoader
from liquid.builtin.expressions import LoopExpression
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.exceptions import FilterArgumentError, ResourceLimitError
from liquid.filter import with_context

from broadcaster.core.errors import InvalidInput

MAX_OUTPUT_BYTES = 256 * 1024
MAX_LOOP_ITERATIONS = 10_000
MAX_WORK_CHARACTERS = 4 * MAX_OUTPUT_BYTES  #: all that filters may produce during one render
MAX_LOCALS_BYTES = MAX_OUTPUT_BYTES
_MAX_INTEGER = 10**15

_TAGS = "# assign break case comment content continue for if illegal output raw unless"
#: Without ``safe`` (it switches escaping off), ``strip_html`` (quadratic) and everything nobody needs in a message.
_FILTERS = (
    "abs append at_least at_most capitalize ceil default divided_by downcase escape escape_once first floor join last "
    "lstrip minus modulo newline_to_br plus prepend remove remove_first replace replace_first round rstrip size slice "
    "split squish strip strip_newlines times truncate truncatewords upcase url_encode"
)
_DATE_FORMAT = re.compile(r"(?:[^%]|%-?[aAbBdeHIjlmMpSyY%]){0,100}")


class MissingField(InvalidInput):
    """A template prints a value this contact does not have; ``field`` names it."""

    code = "missing_field"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is missing", field=name)


class MergeUndefined(Undefined):
    """Nothing to ``default`` and ``if``; an error when printed, filtered or looped over."""

    __slots__ = ()
    force_liquid_default = True

    def _refuse(self, *_: object) -> NoReturn:
        raise MissingField((self.hint or self.name).removesuffix(" is undefined").strip("'"))

    __str__ = __int__ = __iter__ = items = _refuse


class _Context(RenderContext):
    """Counts iterations and work over the whole render, and knows no ``size`` or ``first`` of a group of fields."""

    __slots__ = ("iterations", "work")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.iterations = self.work = 0

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self.iterations += length
        if self.iterations > MAX_LOOP_ITERATIONS:
            raise ResourceLimitError("too many rounds of a loop", token=None)

    def get_item(self, obj: Any, key: Any) -> Any:
        return obj[key] if isinstance(obj, Mapping) else super().get_item(obj, key)

    def spend(self, characters: int) -> None:
        self.work += characters
        if self.work > MAX_WORK_CHARACTERS:
            raise ResourceLimitError("too much work", token=None)


class _Template(BoundTemplate):
    context_class = _Context


class _BoundedLoop(LoopExpression):
    """Looks at the length of a range before the library makes a list of it (to reverse it)."""

    __slots__ = ()

    def _to_iter(self, obj: object, context: RenderContext) -> tuple[Iterator[Any], int]:
        _check_argument(obj)
        return super()._to_iter(obj, context)


class _For(ForTag):
    def parse(self, stream: TokenStream) -> Node:
        node = super().parse(stream)
        if isinstance(node, ForNode):
            loop = node.expression
            node.expression = _BoundedLoop(
                loop.token,
                loop.identifier,
                loop.iterable,
                limit=loop.limit,
                offset=loop.offset,
                reversed_=loop.reversed,
                cols=loop.cols,
            )
        return node


class LimitedEnvironment(Environment):
    block_nesting_limit = 20
    context_depth_limit = 20
    local_namespace_limit = MAX_LOCALS_BYTES
    loop_iteration_limit = MAX_LOOP_ITERATIONS
    output_stream_limit = MAX_OUTPUT_BYTES
    template_class = _Template

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(autoescape=autoescape, undefined=MergeUndefined, loader=DictLoader({}))
        self.tags = {name: tag for name, tag in self.tags.items() if name in _TAGS.split()}
        self.add_tag(_For)
        self.filters = {name: _guarded(name, self.filters[name]) for name in _FILTERS.split()}
        self.filters["date"] = _guarded("date", _date)


def _guarded(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """Bound what goes into and comes out of a filter."""
    wants_environment = getattr(original, "with_environment", False)

    @with_context
    def bounded(*args: Any, context: _Context, **options: Any) -> Any:
        for arg in args:
            _check_argument(arg)
        context.spend(_growth(name, args))
        if wants_environment:
            options["environment"] = context.env
        result = original(*args, **options)
        context.spend(_size(result))
        return result

    return bounded


def _check_argument(arg: object) -> None:
    if isinstance(arg, range) and abs(arg.stop - arg.start) > MAX_LOOP_ITERATIONS:
        raise ResourceLimitError("a range is too long", token=None)
    if isinstance(arg, int) and abs(arg) > _MAX_INTEGER:
        raise ResourceLimitError("a number is too large", token=None)


def _growth(name: str, args: tuple[Any, ...]) -> int:
    """Return how many characters a filter that multiplies would add."""
    if name == "replace" and len(args) > 2:
        return str(args[0]).count(str(args[1])) * len(str(args[2]))
    if name == "join" and len(args) > 1:
        return _size(args[0]) * len(str(args[1]))
    return 0


def _size(value: object) -> int:
    return len(value) if isinstance(value, str | list | tuple | range) else 1


def _date(value: object, form: object = "%Y-%m-%d") -> str:
    """Write an ISO date in the form given. There is no ``now``: a message says the same whenever it is rendered."""
    if not _DATE_FORMAT.fullmatch(str(form)):
        raise FilterArgumentError("this form of a date is not known", token=None)
    try:
        return datetime.fromisoformat(str(value)).strftime(str(form))
    except ValueError:
        raise FilterArgumentError("this is not a date like 2026-12-31", token=None) from None


TEXT = LimitedEnvironment(autoescape=False)
HTML = LimitedEnvironment(autoescape=True)
