"""The form of a sender account, made from what its channel asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field as Bounds
from pydantic import StringConstraints, create_model

from broadcaster.channels import registry
from broadcaster.channels.contract import CONCURRENCY, Field
from broadcaster.core.errors import Conflict, InvalidInput
from web import account_words
from web.forms import Form, FormModel, Line

PREFIX = "set_"  #: settings of the channel stand apart from fields of ours
_GROUPS = tuple(account_words.GROUPS.items())
MANY_LINES = frozenset({"dkim_private_key", "tls_authority"})

Given = Annotated[str, StringConstraints(max_length=20_000)]
Money = Annotated[Decimal, Bounds(ge=0, le=1000, max_digits=12, decimal_places=6)]


class AccountForm(FormModel):
    """What every account has. ``cost`` is per message or SMS part, in the organisation's currency."""

    name: Line | None = None
    brand: int | None = None
    channel: Line | None = None
    base_url: Line | None = None
    rate_per_second: float | None = None
    concurrency: int = CONCURRENCY
    cost: Money = Decimal(0)
    warm_up: Given | None = None
    domain_rates: Given | None = None

    def pace(self) -> dict[str, Any]:
        """Return what ``accounts.create`` and ``accounts.update`` both take."""
        return {
            "base_url": self.base_url or "",
            "rate_per_second": self.rate_per_second,
            "concurrency": self.concurrency,
            "cost_micros": int(self.cost * 1_000_000),
            "warm_up": self.warm_up or "",
            "domain_rates": self.domain_rates or "",
        }

    def settings(self) -> dict[str, str]:
        """Return the channel's settings; an empty secret is left out, so that the stored one stays."""
        told = {name.removeprefix(PREFIX): value for name, value in self.model_dump().items() if name[:4] == PREFIX}
        return {name: value or "" for name, value in told.items() if value or name not in self._secrets()}

    @classmethod
    def _secrets(cls) -> frozenset[str]:
        found = (name.removeprefix(PREFIX) for name, one in cls.model_fields.items() if one.title == "secret")
        return frozenset(found)


@lru_cache(maxsize=64)
def form_of(provider: str) -> type[AccountForm]:
    """Return the form of a provider's accounts. Raises NotFound."""
    fields: dict[str, Any] = {
        PREFIX + field.name: (Given | None, Bounds(None, title="secret" if field.secret else None))
        for field in registry.get(provider).fields
    }
    return create_model(f"AccountForm_{provider}", __base__=AccountForm, **fields)


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting as a form shows it."""

    name: str
    label: str
    help: str
    optional: bool
    secret: bool
    many_lines: bool
    choices: list[tuple[str, str]]


def groups(provider: str) -> list[tuple[str, list[Shown]]]:
    """Return the settings of a provider in groups with their titles, the unnamed one first."""
    fields = registry.get(provider).fields
    found = [(title, [one for one in fields if account_words.group(one) == key]) for key, title in _GROUPS]
    return [(title, list(_shown(some))) for title, some in found if some]


def _shown(fields: Iterable[Field]) -> Iterator[Shown]:
    for field in fields:
        yield Shown(
            name=PREFIX + field.name,
            label=account_words.said(field.label),
            help=account_words.said(field.help) if field.help else "",
            optional=not field.required,
            secret=field.secret,
            many_lines=field.name in MANY_LINES,
            choices=account_words.choices(field),
        )


def refuse(form: Form[Any], problem: InvalidInput | Conflict, provider: str) -> None:
    """Show a refusal at its field; settings stand under names of their own."""
    field = getattr(problem, "field", None)
    settings = {one.name for one in registry.get(provider).fields}
    if isinstance(problem, InvalidInput) and field in settings:
        problem = InvalidInput(problem.message, code=problem.code, field=PREFIX + field)
    form.refuse(problem)
