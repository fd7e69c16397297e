"""Names of identities, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.query.aliases import Aliases, IdentityAlias
from meta_audit.render.columns import table
from meta_audit.render.layout import day_or_time, short_time
from meta_audit.render.page import Listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.render.layout import Screen

HEADER: Final = ("alias", "name", "identity", "from", "until", "said by", "said at", "reason")


class AliasesPage(Listing[Aliases]):
    """Show the names that people gave to identities."""

    row = IdentityAlias

    def rows(self) -> Sequence[IdentityAlias]:
        """Return the aliases."""
        return self.result.aliases

    def text(self, screen: Screen) -> str:
        """Return a table; nothing if there are no aliases."""
        body = [
            (
                f"{one.alias_no}",
                one.name,
                one.identity,
                day_or_time(one.valid_from),
                day_or_time(one.valid_until),
                one.actor,
                short_time(one.said_at),
                one.reason or "-",
            )
            for one in self.result.aliases
        ]
        return table(HEADER, body, screen, whole=(0,)) if body else ""

    def notes(self) -> Sequence[str]:
        """Say that there are none."""
        return () if self.result.aliases else ("No aliases. `meta-audit alias add` gives one.",)
