"""What the cells of a layout mean: one rule for each field that a block or a find reads."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from etl.layout import Block, Find
from etl.patterns import printed_unit
from etl.schema import find_field, unit_of

# Key of the total over classes or groups, and of figures of the whole deal.
TOTAL = "TOTAL"


@dataclass(frozen=True)
class Rule:
    """Where a cell comes from and what it means."""

    rule: str
    table: str | None
    block: str
    field: str
    unit: str
    column_label: str | None = None
    group_id: str | None = None
    loan_status: str | None = None
    bucket: str | None = None


@dataclass
class RuleBook:
    """The rules in use, numbered. Earlier rules win where several read the same field of a report.

    `unsigned`: the fields whose percentages the layout says are printed without a sign. `others`: its names for what no
    table has.
    """

    unsigned: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    numbers: dict[Rule, int] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)

    def of_block(
        self,
        block: Block,
        name: str,
        column_label: str | None = None,
        group_id: str | None = None,
        *,
        table: str | None = None,
        bucket: str | None = None,
    ) -> int:
        """Number of the rule that reads field `name` (of `table`, else of the block's) in a column of `block`."""
        table = table or block.table
        unit = unit_of(table, name)
        place = (block.name, name, unit or "text", column_label, group_id, block.status, bucket)
        return self._number(Rule(f"{block.name}.{name}", None if name in self.others else table, *place))

    def of_classes(self, name: str) -> int:
        """Number of the rule that reads field `name` of the classes outside of blocks."""
        return self._number(Rule(f"classes.{name}", "classes", "classes", name, unit_of("classes", name) or "text"))

    def of_find(self, find: Find, name: str) -> int:
        """Number of the rule that reads field `name` in a find; its table is null if no table has it."""
        table, unit = find_field(name) or (None, "text")
        group_id = TOTAL if table == "measures" else None
        return self._number(Rule(f"{find.name}.{name}", table, find.name, name, unit, None, group_id))

    def look(self, number: int) -> str:
        """What the cells of a rule look like."""
        return printed_unit(self.rules[number].unit, self.rules[number].field, self.unsigned)

    def look_of(self, table: str, name: str) -> str:
        """What the cells of a field look like."""
        return printed_unit(unit_of(table, name) or "text", name, self.unsigned)

    def frame(self) -> pl.DataFrame:
        """The rules, a row each, in the order of their numbers; names as an Enum each."""
        columns = []
        for name in Rule.__dataclass_fields__:
            values = [getattr(rule, name) for rule in self.rules]
            categories = pl.Enum(list(dict.fromkeys(value for value in values if value is not None)))
            columns.append(pl.Series(name, values, dtype=categories))
        return pl.DataFrame(columns)

    def _number(self, rule: Rule) -> int:
        if rule not in self.numbers:
            self.numbers[rule] = len(self.rules)
            self.rules.append(rule)
        return self.numbers[rule]
