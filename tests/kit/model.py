"""A small waterfall of a home equity deal whose printed figures agree with one another.

Balances and flows are whole US dollars (delinquent balances: US cents), rates are annual in units of 1e-7,
so the identities hold exactly: beginning - principal = ending, total = interest + principal, groups add up to
the total, pool ending = beginning - principal - losses, over-collateralization = pool - certificates.

Interest runs by actual days over 360 for the floating classes and by 30/360 for the fixed notional ones.
Losses are covered by excess interest first; what is then left builds up the over-collateralization to its
target, and the rest goes to class X. Above the target, principal is released to class X, but not in a month whose
losses are more than what stands above it: then the over-collateralization is deficient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Literal

from .figures import RATE_UNIT, cents, fixed, per_thousand, percent, ratio, trimmed, whole
from .report import (
    TOTAL,
    ClassRow,
    Heading,
    LoanLine,
    LoanTable,
    PoolColumn,
    Report,
    TriggerLine,
    trigger_lines,
)

Kind = Literal["senior", "io", "io_inv", "mezzanine", "premium", "excess", "residual", "sub_io"]

NOTIONAL: tuple[Kind, ...] = ("io", "io_inv", "sub_io")
SERVICING_RATE = 50_000
TRUSTEE_RATE = 2_000
P_BALANCE = 100


@dataclass(frozen=True, slots=True)
class Bond:
    """A class: `rate` is the margin of a floating class, a fixed rate, or the strike of an inverse one.

    `original` in dollars; `step` is the monthly fall of a notional balance in dollars.
    """

    class_id: str
    kind: Kind
    rate: int = 0
    step: int = 0
    original: int = 0
    cusip: str = ""

    def sized(self, original: int, cusip: str) -> Bond:
        """Return the class with its original balance and its CUSIP."""
        return replace(self, original=original, cusip=cusip)


@dataclass(frozen=True, slots=True)
class LoanGroup:
    """A loan group: gross coupon in units of 1e-7, monthly prepayments in basis points."""

    group_id: str
    gross_coupon: int
    prepayment_speed: int = 350


@dataclass(frozen=True, slots=True)
class State:
    """Where a deal stands before a distribution: dollars by class, dollars and loans by group."""

    month: int
    previous_date: date
    balances: tuple[int, ...]
    pools: tuple[int, ...]
    counts: tuple[int, ...]
    cumulative_losses: int
    remaining_term: int


@dataclass(frozen=True, slots=True)
class Deal:
    """The terms of a deal; month 0 stands for "never" in `trigger_month`."""

    seed: int
    heading: Heading
    groups: tuple[LoanGroup, ...]
    bonds: tuple[Bond, ...]
    index_rate: int
    rate_cap: int
    oc_target: int
    step_down_month: int
    trigger_month: int
    pay_day: int
    opening: State

    @property
    def name(self) -> str:
        """The name of the deal with its series."""
        return self.heading.deal_name

    @property
    def series(self) -> str:
        """The series, such as 2003-HE2."""
        return self.heading.series

    @property
    def certificate_title(self) -> str:
        """The title of the certificates, without the series."""
        return self.heading.certificate_title

    @property
    def cusips(self) -> tuple[str, ...]:
        """The CUSIPs in the order of the classes."""
        return tuple(bond.cusip for bond in self.bonds)


@dataclass(frozen=True, slots=True)
class Flows:
    """What one group's loans did in a month, in dollars and loans."""

    beginning: int
    scheduled: int
    prepayments: int
    liquidation: int
    repurchases: int
    losses: int
    count: int
    liquidated: int
    net_interest: int
    relief_act: int
    prepayment_interest: int
    nonrecoverable: int
    liquidation_text: str

    @property
    def principal(self) -> int:
        """All principal of the month."""
        return self.scheduled + self.prepayments + self.liquidation + self.repurchases

    @property
    def ending(self) -> int:
        """The balance after principal and losses."""
        return self.beginning - self.principal - self.losses

    @property
    def interest(self) -> int:
        """Interest after shortfalls and advances that will not be recovered."""
        return self.net_interest - self.relief_act - self.prepayment_interest - self.nonrecoverable


@dataclass(frozen=True, slots=True)
class Premiums:
    """Prepayment premiums of a month: loans, a second count, their balance and the amount in dollars."""

    loans: int
    other_loans: int
    balance: int
    amount: int


@dataclass(frozen=True, slots=True)
class Credit:
    """Over-collateralization of a month, in dollars."""

    target: int
    increase: int
    release: int
    deficiency: int
    over_target: int
    trigger_event: bool
    stepped_down: bool


@dataclass(frozen=True, slots=True)
class Accrual:
    """By class: annual rates in units of 1e-7, interest in dollars, carryovers above the cap in US cents."""

    rates: tuple[int, ...]
    interest: tuple[int, ...]
    carryovers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Extras:
    """Payments of a month from outside and to outside, in dollars."""

    yield_maintenance: int
    expenses: int


@dataclass(frozen=True, slots=True)
class Period:
    """A deal's standing, the day of the distribution and the index rate in units of 1e-7."""

    deal: Deal
    state: State
    day: date
    index_rate: int

    @property
    def days(self) -> int:
        """Days since the distribution before."""
        return (self.day - self.state.previous_date).days

    @property
    def held(self) -> list[tuple[Bond, int]]:
        """The classes with their beginning balances in dollars."""
        return list(zip(self.deal.bonds, self.state.balances, strict=True))

    @property
    def excess_place(self) -> int:
        """Where class X stands."""
        return _index(self.deal.bonds, "excess")


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The results of one distribution, by class in the order of the deal's classes, in dollars."""

    accrual: Accrual
    credit: Credit
    principal: tuple[int, ...]
    ending: tuple[int, ...]
    excess: int


@dataclass(frozen=True, slots=True)
class Month:
    """Everything about one distribution that the printing needs."""

    period: Period
    flows: tuple[Flows, ...]
    premiums: Premiums
    extras: Extras
    result: Waterfall

    @property
    def deal(self) -> Deal:
        """The deal."""
        return self.period.deal

    @property
    def state(self) -> State:
        """The standing before the distribution."""
        return self.period.state

    def pool(self, name: str) -> int:
        """Return the sum of one of the groups' figures."""
        return sum(int(getattr(flow, name)) for flow in self.flows)


# --- making a deal ---------------------------------------------------------------------------------------

_BRANDS = (
    "Harbor Light",
    "Quill Meadow",
    "Tamarind Row",
    "Pebble Ford",
    "Lantern Hollow",
    "Otter Bend",
    "Copper Thistle",
    "Windmill Lane",
    "Juniper Gate",
    "Saltgrass",
    "Marble Finch",
    "Plum Orchard",
    "Hazel Crossing",
    "Beacon Fern",
    "Clover Quay",
    "Amber Heron",
)
_TRUSTS = (
    "Home Equity Trust",
    "Securities Corporation, Home Equity Loan Trust",
    "Acceptance Company, Mortgage Loan Trust",
)
_TITLES = ("Asset Backed Pass-Through Certificates", "Mortgage Pass-Through Certificates")
_SERVICERS = ("Brightwater", "Cedarline", "Foxglove", "Millrace", "Tidemark")
_SIGNERS = ("Jordan Avery", "Robin Sample", "Casey Fielding", "Morgan Example")
_CUSIP_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_MARGINS = (60_000, 90_000, 120_000, 190_000, 225_000, 300_000, 385_000, 450_000)


def check_digit(base: str) -> str:
    """Return the ninth character of a CUSIP: modulus 10, every second value doubled, digits added."""
    total = 0
    for position, character in enumerate(base):
        value = int(character, 36) * (1 + position % 2)
        total += value // 10 + value % 10
    return str(-total % 10)


def make_deal(seed: int) -> Deal:
    """Return an invented deal; the same seed gives the same deal, two seeds of 0 and up give two names."""
    rng = Random(f"deal {seed}")
    groups = _make_groups(rng)
    pools = tuple(rng.randrange(80_000, 320_000) * 1_000 + rng.randrange(1_000) for _ in groups)
    bonds = _make_bonds(rng, pools)
    pay_day = rng.choice((15, 25))
    heading = _make_heading(rng, seed)
    state = _make_opening(rng, bonds, pools, date(int(heading.series[:4]), rng.randrange(1, 13), pay_day))
    standing = state.balances[_index(bonds, "excess")]
    return Deal(
        seed=seed,
        heading=heading,
        groups=groups,
        bonds=bonds,
        index_rate=rng.randrange(105, 190) * 1_000,
        rate_cap=rng.choice((480_000, 560_000, 900_000)),
        oc_target=standing + rng.choice((-1, 0, 0, 1, 2, 4)) * (standing // 8),
        step_down_month=state.month + rng.choice((1, 2, 3, 24, 36)),
        trigger_month=rng.choice((0, 0, 0, state.month + 1, state.month + 2)),
        pay_day=pay_day,
        opening=state,
    )


def _make_heading(rng: Random, seed: int) -> Heading:
    brand, turn = _BRANDS[seed % len(_BRANDS)], seed // len(_BRANDS)
    series = f"{2002 - turn % 3}-HE{turn // 3 + 1}"
    return Heading(
        deal_name=f"{brand} {_TRUSTS[seed % len(_TRUSTS)]}, Series {series}",
        series=series,
        certificate_title=rng.choice(_TITLES),
        state=rng.choice(("New York", "Delaware", "North Carolina")),
        commission_file_number=f"333-{rng.randrange(10_000, 99_999)}",
        irs_number=f"{rng.randrange(10, 99)}-{rng.randrange(1_000_000, 9_999_999)}",
        servicer=rng.choice(_SERVICERS),
        signer=rng.choice(_SIGNERS),
    )


def _make_groups(rng: Random) -> tuple[LoanGroup, ...]:
    return tuple(
        LoanGroup(f"GROUP {number}", rng.randrange(72_000, 88_000) * 10, rng.randrange(200, 500))
        for number in range(1, rng.choice((1, 2, 2, 3, 4)) + 1)
    )


def _make_bonds(rng: Random, pools: tuple[int, ...]) -> tuple[Bond, ...]:
    total = sum(pools)
    mezzanine = _mezzanine(rng, total)
    spare = ratio(total * rng.randrange(10, 22), 1_000)
    left = total - spare - P_BALANCE - sum(bond.original for bond in mezzanine)
    bonds = [
        Bond(f"A-{number}", "senior", rng.randrange(25, 48) * 1_000, original=pool * left // total // 100 * 100)
        for number, pool in enumerate(pools, start=1)
    ]
    bonds += _notional(rng, total)
    bonds += mezzanine
    bonds += [Bond("P", "premium", original=P_BALANCE), Bond("X", "excess"), Bond("R", "residual")]
    if rng.randrange(2):
        bonds.append(Bond("B-IO", "sub_io", 350_000, original=total // 12_000_000 * 1_000_000))
    base = f"99{rng.randrange(1_000):03d}{rng.choice(_CUSIP_LETTERS)}"
    first = rng.randrange(len(_CUSIP_LETTERS))
    return tuple(bond.sized(bond.original, _cusip(base, first, place)) for place, bond in enumerate(bonds))


def _cusip(base: str, first: int, place: int) -> str:
    """Return a CUSIP; bases that begin with 99 are set apart for private use and name no real security."""
    size = len(_CUSIP_LETTERS)
    number = base + _CUSIP_LETTERS[(first + place // size) % size] + _CUSIP_LETTERS[place % size]
    return number + check_digit(number)


def _mezzanine(rng: Random, total: int) -> list[Bond]:
    return [
        Bond(f"M-{number}", "mezzanine", margin, original=total * rng.randrange(12, 35) // 100_000 * 100)
        for number, margin in enumerate(_MARGINS[: rng.randrange(9)], start=1)
    ]


def _notional(rng: Random, total: int) -> list[Bond]:
    wanted = rng.randrange(3)
    notional = total // 10_000_000 * 1_000_000
    bonds = [Bond("A-IO", "io", 400_000, notional // 40_000 * 1_000, notional)]
    whole_pool = total // 1_000_000 * 1_000_000
    bonds.append(Bond("A-IO-INV", "io_inv", 220_000, whole_pool // 30_000 * 1_000, whole_pool))
    return bonds[:wanted]


def _make_opening(rng: Random, bonds: tuple[Bond, ...], pools: tuple[int, ...], closing: date) -> State:
    age = rng.randrange(1, 12)
    paid = [ratio(pool * age * rng.randrange(15, 30), 1_000) for pool in pools]
    balances: list[int] = []
    for place, bond in enumerate(bonds):
        repaid = paid[place] if bond.kind == "senior" else bond.step * age
        balances.append(max(0, bond.original - repaid))
    standing = tuple(pool - gone for pool, gone in zip(pools, paid, strict=True))
    funded = sum(b for b, bond in zip(balances, bonds, strict=True) if bond.kind not in NOTIONAL)
    balances[_index(bonds, "excess")] = sum(standing) - funded
    return State(
        month=age,
        previous_date=later(closing, age),
        balances=tuple(balances),
        pools=standing,
        counts=tuple(balance // rng.randrange(90_000, 210_000) + 50 for balance in standing),
        cumulative_losses=rng.randrange(60_000),
        remaining_term=355 - age,
    )


def _index(bonds: tuple[Bond, ...], kind: Kind) -> int:
    return next(place for place, bond in enumerate(bonds) if bond.kind == kind)


# --- a month ---------------------------------------------------------------------------------------------


def business_day(day: date) -> date:
    """Return the day itself, or the next one that is neither a weekend, nor Christmas, nor New Year's Day."""
    while day.weekday() >= 5 or (day.month, day.day) in ((12, 25), (1, 1)):
        day += timedelta(days=1)
    return day


def later(day: date, months: int) -> date:
    """Return the business day on or after the same day of the month, `months` months later."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return business_day(date(year, month + 1, day.day))


def simulate(deal: Deal, months: int) -> list[Report]:
    """Return the reports of the next `months` distributions, from the deal's opening on."""
    reports, state = [], deal.opening
    for _ in range(months):
        month = _month(deal, state)
        reports.append(_printed(month))
        state = _next_state(month)
    return reports


def _month(deal: Deal, state: State) -> Month:
    rng = Random(f"deal {deal.seed} month {state.month}")
    day = later(state.previous_date.replace(day=deal.pay_day), 1)
    period = Period(deal, state, day, deal.index_rate + rng.randrange(-6, 7) * 1_000)
    flows = tuple(
        _flows(rng, group, *standing) for group, *standing in zip(deal.groups, state.pools, state.counts, strict=True)
    )
    premiums = _premiums(rng, sum(flow.prepayments for flow in flows))
    extras = _extras(rng)
    return Month(period, flows, premiums, extras, _waterfall(period, flows, premiums, extras))


def _flows(rng: Random, group: LoanGroup, balance: int, count: int) -> Flows:
    average = balance // count
    liquidated = min(rng.choice((0, 0, 1, 2, 3)), count // 400)
    gone = sum(average * rng.randrange(60, 140) // 100 for _ in range(liquidated))
    losses = gone * rng.randrange(2, 11) // 100
    bought = rng.choice((0, 0, 0, 0, 1))
    repurchases = bought * average * rng.randrange(70, 130) // 100
    speed = group.prepayment_speed + rng.randrange(-60, 61)
    prepayments = balance * speed // 10_000 + rng.randrange(1_000)
    paid_off = prepayments // average
    net = group.gross_coupon - SERVICING_RATE
    return Flows(
        beginning=balance,
        scheduled=balance * rng.randrange(70, 95) // 100_000,
        prepayments=prepayments,
        liquidation=gone - losses,
        repurchases=repurchases,
        losses=losses,
        count=max(1, count - paid_off - liquidated - bought),
        liquidated=liquidated,
        net_interest=ratio(balance * net, RATE_UNIT * 12),
        relief_act=rng.choice((0, 0, 0, rng.randrange(20, 900))),
        prepayment_interest=rng.choice((0, 0, 0, rng.randrange(20, 1_500))),
        nonrecoverable=rng.choice((0, 0, rng.randrange(-6_000, 6_000))),
        liquidation_text=whole(gone - losses) if liquidated else rng.choice(("0", "(0)")),
    )


def _premiums(rng: Random, prepayments: int) -> Premiums:
    balance = prepayments * rng.randrange(40, 75) // 100
    loans = balance // 190_000 + 1
    return Premiums(loans, loans + rng.randrange(5), balance, balance * rng.randrange(20, 35) // 1_000)


def _extras(rng: Random) -> Extras:
    paid_in = rng.choice((0, 0, 0, rng.randrange(500, 9_000)))
    return Extras(paid_in, rng.choice((0, 0, 0, 0, rng.randrange(100, 2_500))))


def _rate(bond: Bond, index_rate: int, cap: int) -> int:
    """Return the annual pass-through rate in units of 1e-7; 0 for the classes that have no rate of their own."""
    if bond.kind in ("senior", "mezzanine"):
        return min(index_rate + bond.rate, cap)
    if bond.kind == "io_inv":
        return max(0, bond.rate - index_rate)
    return bond.rate if bond.kind in NOTIONAL else 0


def _interest(balance: int, rate: int, days: int) -> int:
    """Interest of `days` days over 360, in the unit of `balance`."""
    return ratio(balance * rate * days, RATE_UNIT * 360)


def _carryover(period: Period, bond: Bond, balance: int) -> int:
    """Interest above the rate cap, in US cents."""
    if bond.kind not in ("senior", "mezzanine"):
        return 0
    over = max(0, period.index_rate + bond.rate - period.deal.rate_cap)
    return _interest(balance * 100, over, period.days)


def _accrual(period: Period, pool: int, own: dict[int, int]) -> Accrual:
    """Rates and interest; `own` is the interest of class P by place, and X follows later."""
    rates = tuple(_rate(bond, period.index_rate, period.deal.rate_cap) for bond in period.deal.bonds)
    interest = []
    for place, ((bond, balance), rate) in enumerate(zip(period.held, rates, strict=True)):
        days = 30 if bond.kind in ("io", "sub_io") else period.days
        interest.append(own[place] if place in own else _interest(balance, rate, days))
    return Accrual(
        tuple(ratio(own[place] * 12 * RATE_UNIT, pool) if place in own else r for place, r in enumerate(rates)),
        tuple(interest),
        tuple(_carryover(period, bond, balance) for bond, balance in period.held),
    )


def _excess(period: Period, flows: tuple[Flows, ...], extras: Extras) -> int:
    """Interest left after the classes, the trustee, the expenses and the month's losses, in dollars."""
    pool = sum(flow.beginning for flow in flows)
    collected = sum(flow.interest for flow in flows) + extras.yield_maintenance
    fees = ratio(pool * TRUSTEE_RATE, RATE_UNIT * 12) + extras.expenses
    paid = sum(_accrual(period, pool, {}).interest)
    excess = collected - paid - fees - sum(flow.losses for flow in flows)
    assert excess >= 0, "the model keeps the excess interest above the losses"
    return excess


def _credit(period: Period, flows: tuple[Flows, ...], excess: int) -> Credit:
    deal, state = period.deal, period.state
    event = bool(deal.trigger_month) and state.month >= deal.trigger_month
    stepped_down = state.month >= deal.step_down_month
    wanted = deal.oc_target - (deal.oc_target // 10 if stepped_down and not event else 0)
    target = max(0, min(wanted, sum(flow.ending for flow in flows) - P_BALANCE))
    standing = state.balances[period.excess_place]
    lacking = target - standing + sum(flow.losses for flow in flows)
    over_target = max(0, standing - target) if lacking <= 0 else 0
    return Credit(
        target=target,
        increase=min(excess, max(0, target - standing)),
        release=min(over_target, sum(flow.principal for flow in flows)),
        deficiency=max(0, lacking),
        over_target=over_target,
        trigger_event=event,
        stepped_down=stepped_down,
    )


def _waterfall(period: Period, flows: tuple[Flows, ...], premiums: Premiums, extras: Extras) -> Waterfall:
    excess = _excess(period, flows, extras)
    credit = _credit(period, flows, excess)
    change = credit.increase - credit.release
    own = {_index(period.deal.bonds, "premium"): premiums.amount, period.excess_place: excess - change}
    paid = _principal(period.held, flows, sum(flow.principal + flow.losses for flow in flows) + change)
    return Waterfall(
        accrual=_accrual(period, sum(flow.beginning for flow in flows), own),
        credit=credit,
        principal=paid,
        ending=_endings(period.held, paid, change),
        excess=excess,
    )


def _principal(held: list[tuple[Bond, int]], flows: tuple[Flows, ...], amount: int) -> tuple[int, ...]:
    """Dollars by class: each group's share to its senior class, what is left to the others in order."""
    paid = [0] * len(held)
    total = sum(flow.principal for flow in flows)
    shares = [amount * flow.principal // total for flow in flows]
    shares[-1] += amount - sum(shares)
    for place, share in enumerate(shares):
        paid[place] = min(share, held[place][1])
        amount -= paid[place]
    for place, (bond, balance) in enumerate(held):
        if bond.kind in ("senior", "mezzanine"):
            more = min(amount, balance - paid[place])
            paid[place] += more
            amount -= more
    assert amount == 0, "all principal finds a class"
    return tuple(paid)


def _endings(held: list[tuple[Bond, int]], paid: tuple[int, ...], change: int) -> tuple[int, ...]:
    balances = []
    for (bond, balance), principal in zip(held, paid, strict=True):
        moved = change if bond.kind == "excess" else -principal
        balances.append(max(0, balance - bond.step) if bond.kind in NOTIONAL else balance + moved)
    return tuple(balances)


def _next_state(month: Month) -> State:
    state = month.state
    return State(
        month=state.month + 1,
        previous_date=month.period.day,
        balances=month.result.ending,
        pools=tuple(flow.ending for flow in month.flows),
        counts=tuple(flow.count for flow in month.flows),
        cumulative_losses=state.cumulative_losses + month.pool("losses"),
        remaining_term=state.remaining_term - 1,
    )


# --- printing a month ------------------------------------------------------------------------------------


def _printed(month: Month) -> Report:
    rng = Random(f"deal {month.deal.seed} print {month.state.month}")
    return Report(
        heading=month.deal.heading,
        distribution_date=month.period.day,
        classes=(*(_class_row(month, place) for place in range(len(month.deal.bonds))), _total_row(month)),
        pools=_pool_columns(month),
        loans=_loan_tables(rng, month),
        measures=_measures(rng, month),
        triggers=_answers(month, failed=rng.randrange(25) == 0),
    )


def _answers(month: Month, *, failed: bool) -> tuple[TriggerLine, ...]:
    credit = month.result.credit
    return trigger_lines(
        month.deal.heading.servicer,
        failed=failed,
        event=credit.trigger_event,
        stepped_down=credit.stepped_down,
    )


def _allocated(month: Month, name: str) -> dict[int, int]:
    """Return a shortfall of the loan groups in US cents, shown at the senior class of each group."""
    return {place: 100 * int(getattr(flow, name)) for place, flow in enumerate(month.flows)}


def _class_row(month: Month, place: int) -> ClassRow:
    bond, result = month.deal.bonds[place], month.result
    interest, principal = result.accrual.interest[place], result.principal[place]
    in_shortfalls = bond.kind != "residual"
    in_endings = bond.kind != "sub_io"
    return ClassRow(
        class_id=bond.class_id,
        shortfall_label=bond.class_id.replace("B-IO", "BIO") if in_shortfalls else None,
        cusip=bond.cusip,
        original_balance=whole(bond.original),
        beginning_balance=whole(month.state.balances[place]),
        principal_distribution=whole(principal),
        pass_through_rate="N/A" if bond.kind == "premium" else percent(result.accrual.rates[place]),
        interest_distribution=whole(interest),
        realized_loss="0.00" if bond.kind in ("mezzanine", "premium") else "N/A",
        total_distribution=whole(interest + principal),
        interest_shortfall="0",
        ending_balance=whole(result.ending[place]),
        principal_per_1000=per_thousand(principal, bond.original),
        interest_per_1000=per_thousand(interest, bond.original),
        total_per_1000=per_thousand(interest + principal, bond.original),
        interest_carryforward_per_1000="0.00000" if in_endings else None,
        ending_balance_per_1000=_ending_factor(bond, result.ending[place]) if in_endings else None,
        unpaid_interest_shortfall="0.00" if in_shortfalls else None,
        realized_loss_shortfall="0.00" if in_shortfalls else None,
        prepayment_interest_shortfall=_shortfall(month, place, "prepayment_interest", printed=in_shortfalls),
        relief_act_shortfall=_shortfall(month, place, "relief_act", printed=in_shortfalls),
        net_wac_carryover=cents(result.accrual.carryovers[place]) if in_shortfalls else None,
    )


def _shortfall(month: Month, place: int, name: str, *, printed: bool) -> str | None:
    return cents(_allocated(month, name).get(place, 0)) if printed else None


def _ending_factor(bond: Bond, balance: int) -> str:
    """Return the ending dollars per 1,000; the layout prints 0.00000 for class P and 1000.00000 for class R."""
    if bond.kind in ("premium", "residual"):
        return "0.00000" if bond.kind == "premium" else "1000.00000"
    return per_thousand(balance, bond.original)


def _total_row(month: Month) -> ClassRow:
    """Return the total: balances without notional classes and X, interest and distributions without B-IO."""
    bonds, result = month.deal.bonds, month.result
    spare = _index(bonds, "excess")
    original = sum(bond.original for bond in bonds if bond.kind not in NOTIONAL)
    interest = sum(i for bond, i in zip(bonds, result.accrual.interest, strict=True) if bond.kind != "sub_io")
    principal = sum(result.principal)
    return ClassRow(
        class_id="Total",
        shortfall_label="",
        cusip="0.00",
        original_balance=whole(original),
        beginning_balance=whole(month.pool("beginning") - month.state.balances[spare]),
        principal_distribution=whole(principal),
        pass_through_rate=percent(month.period.index_rate),
        interest_distribution=whole(interest),
        realized_loss="0.00",
        total_distribution=whole(interest + principal),
        interest_shortfall="0",
        ending_balance=whole(month.pool("ending") - result.ending[spare]),
        principal_per_1000="0.00000",
        interest_per_1000="0.00000",
        total_per_1000="0.00000",
        interest_carryforward_per_1000=None,
        ending_balance_per_1000=None,
        unpaid_interest_shortfall="0.00",
        realized_loss_shortfall="0.00",
        prepayment_interest_shortfall=cents(100 * month.pool("prepayment_interest")),
        relief_act_shortfall=cents(100 * month.pool("relief_act")),
        net_wac_carryover=cents(sum(result.accrual.carryovers)),
    )


_POOL_FIGURES = (
    "beginning",
    "scheduled",
    "prepayments",
    "liquidation",
    "repurchases",
    "principal",
    "losses",
    "ending",
    "count",
    "net_interest",
    "relief_act",
    "prepayment_interest",
    "nonrecoverable",
    "interest",
)


def _pool_columns(month: Month) -> tuple[PoolColumn, ...]:
    columns = []
    for group, flow in zip(month.deal.groups, month.flows, strict=True):
        cells = [whole(int(getattr(flow, name))) for name in _POOL_FIGURES]
        cells[_POOL_FIGURES.index("liquidation")] = flow.liquidation_text
        columns.append(PoolColumn(group.group_id, *cells))
    total = [whole(month.pool(name)) for name in _POOL_FIGURES]
    return (*columns, PoolColumn(TOTAL, *total))


# loans per 10,000: 30-59, 60-89, 90+ days, foreclosure, bankruptcy, REO
_SHARES = (270, 80, 50, 200, 60, 6)


def _loan_tables(rng: Random, month: Month) -> tuple[LoanTable, ...]:
    tables, total = [], [(0, 0, 0)] * len(_SHARES)
    for group, flow in zip(month.deal.groups, month.flows, strict=True):
        troubled = [_troubled(rng, flow, share) for share in _SHARES]
        total = [(a + d, b + e, c + f) for (a, b, c), (d, e, f) in zip(total, troubled, strict=True)]
        tables.append(_loan_table(rng, group.group_id, (flow.count, flow.ending), troubled))
    outstanding = (month.pool("count"), month.pool("ending"))
    return (*tables, _loan_table(rng, TOTAL, outstanding, total))


def _troubled(rng: Random, flow: Flows, share: int) -> tuple[int, int, int]:
    """Loans, balance and market value in US cents of the loans in some kind of trouble."""
    count = flow.count * share * rng.randrange(60, 140) // 1_000_000
    average = flow.ending * 100 // flow.count
    balance = count * average * rng.randrange(70, 125) // 100 + (rng.randrange(100) if count else 0)
    return count, balance, balance * rng.randrange(80, 110) // 10_000 * 100


def _loan_table(
    rng: Random, group: str, outstanding: tuple[int, int], troubled: list[tuple[int, int, int]]
) -> LoanTable:
    plain = 1 if group == TOTAL else rng.randrange(3)
    lines = [LoanLine(whole(count), _balance(rng, plain, amount)) for count, amount, _ in troubled]
    first, second, third, foreclosed, bankrupt, owned = lines
    owned = replace(owned, market_value=_balance(rng, plain, troubled[-1][2]))
    standing = LoanLine(whole(outstanding[0]), whole(outstanding[1]))
    return LoanTable(group, (first, second, third), (standing, foreclosed, bankrupt, owned))


def _balance(rng: Random, plain: int, amount: int) -> str:
    """US cents in one of the two styles: grouped whole dollars (0), plain with cents (1), either (2)."""
    return trimmed(amount) if plain == 1 or (plain == 2 and rng.randrange(2)) else whole(ratio(amount, 100))


def _measures(rng: Random, month: Month) -> tuple[tuple[str, str], ...]:
    result, premiums, state = month.result, month.premiums, month.state
    pool, losses = month.pool("beginning"), month.pool("losses")
    gross = _gross_coupon(month)
    values = {
        "ending_pool_balance": whole(month.pool("ending")),
        "oc_amount": whole(result.ending[_index(month.deal.bonds, "excess")]),
        "liquidated_loan_count": whole(month.pool("liquidated")),
        "servicing_fee": whole(ratio(pool * SERVICING_RATE, RATE_UNIT * 12)),
        "advances_current": trimmed(pool * rng.randrange(300, 600) // 1_000 + rng.randrange(100)),
        "advances_outstanding_prior": trimmed(pool * rng.randrange(150, 300) // 1_000 + rng.randrange(100)),
        "prepayment_premium_loan_count": whole(premiums.loans),
        "prepayment_premium_loan_count_2": whole(premiums.other_loans),
        "prepayment_premium_loan_balance": whole(premiums.balance),
        "prepayment_premiums": whole(premiums.amount),
        "realized_losses_current": whole(losses),
        "realized_losses_cumulative": whole(state.cumulative_losses + losses),
        "weighted_average_remaining_term": whole(state.remaining_term - 1),
        "weighted_average_gross_coupon": percent(gross),
        "weighted_average_net_coupon": percent(gross - SERVICING_RATE),
        "pool_loan_count": whole(month.pool("count")),
        "oc_target": whole(result.credit.target),
        "credit_enhancement": _credit_enhancement(month),
        "oc_increase": whole(result.credit.increase),
        "oc_release": whole(result.credit.release),
        "oc_deficiency": whole(result.credit.deficiency),
        "oc_excess": whole(result.credit.over_target),
        "yield_maintenance_payment": whole(month.extras.yield_maintenance),
        "excess_cash_flow": whole(result.excess),
        "extraordinary_expenses": whole(month.extras.expenses),
    }
    return tuple(values.items())


def _gross_coupon(month: Month) -> int:
    """Return the average gross coupon by beginning balance, in units of 1e-7."""
    pairs = zip(month.deal.groups, month.flows, strict=True)
    return ratio(sum(group.gross_coupon * flow.beginning for group, flow in pairs), month.pool("beginning"))


def _credit_enhancement(month: Month) -> str:
    """Mezzanine and P balances and the beginning over-collateralization over the ending pool, in percent."""
    bonds, result = month.deal.bonds, month.result
    junior = sum(
        balance for bond, balance in zip(bonds, result.ending, strict=True) if bond.kind in ("mezzanine", "premium")
    )
    junior += month.state.balances[_index(bonds, "excess")]
    return fixed(ratio(junior * 10**8, month.pool("ending")), 6) + "%"
