"""The tables of a simulated lender: what is in them, and that equal parameters make equal files."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from modelyard.simulator.lender import Simulation, simulate_lender
from modelyard.simulator.parameters import LenderParameters

TABLES = ("borrowers", "transactions", "devices", "loans", "truth")
END = datetime(2026, 6, 30, 21, tzinfo=UTC)  # the midnight in Nairobi


def digests(folder: Path, tables: tuple[str, ...] = TABLES) -> dict[str, str]:
    paths = sorted(path for table in tables for path in (folder / table).iterdir())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in paths}


def ask(lender: Simulation, question: str) -> list[tuple[Any, ...]]:
    """Answer SQL over tables named as the lender's."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table in TABLES:
            connection.execute(f"CREATE VIEW {table} AS FROM '{lender.folder}/{table}/*.parquet'")
        rows = connection.sql(question).to_arrow_table().to_pydict()
    return list(zip(*rows.values(), strict=True))


def test_equal_parameters_make_equal_files(lender: Simulation, small: LenderParameters, out: Path) -> None:
    again = simulate_lender(small, out, lambda _: None)
    assert digests(again.folder) == digests(lender.folder)
    assert (again.rows, again.markets, again.overall) == (lender.rows, lender.markets, lender.overall)


def test_another_seed_makes_other_rows_in_every_table(lender: Simulation, small: LenderParameters, out: Path) -> None:
    other = simulate_lender(replace(small, seed=6), out, lambda _: None)
    assert not set(digests(other.folder).values()) & set(digests(lender.folder).values())


def test_a_market_does_not_depend_on_the_others(lender: Simulation, small: LenderParameters, out: Path) -> None:
    alone = simulate_lender(replace(small, markets=("ke",)), out, lambda _: None)
    assert alone.markets["ke"] == lender.markets["ke"]
    for table in TABLES:
        ours, theirs = (simulated.folder / table for simulated in (alone, lender))
        assert (ours / "part-00000.parquet").read_bytes() == (theirs / "part-00001.parquet").read_bytes()


def test_columns_have_plain_types_that_every_reader_knows(lender: Simulation) -> None:
    schemas = {table: pq.read_schema(lender.folder / table / "part-00000.parquet") for table in TABLES}
    kinds = {table: {field.name: str(field.type) for field in schema} for table, schema in schemas.items()}
    moment = "timestamp[us, tz=UTC]"
    assert kinds["borrowers"] == {
        **dict.fromkeys(("borrower_id", "market", "gender", "age_band", "region"), "string"),
        "registered_at": moment,
        "active": "bool",
    }
    assert kinds["transactions"] == {
        "borrower_id": "string",
        "event_time": moment,
        "available_time": moment,
        "amount": "double",
        "direction": "string",
        "channel": "string",
    }
    assert kinds["devices"] == {
        "borrower_id": "string",
        "seen_at": moment,
        "available_time": moment,
        "model": "string",
        "os": "string",
        "app_version": "string",
        "is_rooted": "bool",
    }
    assert kinds["loans"] == {
        **dict.fromkeys(("loan_id", "borrower_id", "market"), "string"),
        **dict.fromkeys(("disbursed_at", "due_at"), moment),
        "principal": "double",
        **dict.fromkeys(("term_days", "defaulted_30d"), "int32"),
        **dict.fromkeys(("outcome_at", "available_time"), moment),
    }
    assert kinds["truth"] == {"loan_id": "string", "default_probability": "double"}


def test_rows_are_counted_and_keys_are_unique(lender: Simulation) -> None:
    for table in TABLES:
        assert ask(lender, f"FROM {table} SELECT count(*)") == [(lender.rows[table],)]
    assert ask(lender, "SELECT count(DISTINCT borrower_id) FROM borrowers") == [(1200,)]
    assert ask(lender, "SELECT count(DISTINCT loan_id), count(*) FROM loans JOIN truth USING (loan_id)") == [
        (lender.rows["loans"], lender.rows["loans"])
    ]


def test_everything_happens_after_registration_and_before_the_end(lender: Simulation) -> None:
    for table, time in (("transactions", "event_time"), ("devices", "seen_at"), ("loans", "disbursed_at")):
        early = f"FROM {table} JOIN borrowers USING (borrower_id) SELECT count(*) WHERE {time} < registered_at"
        assert ask(lender, early) == [(0,)]
        ((latest,),) = ask(lender, f"FROM {table} SELECT max({time})")
        assert END - timedelta(days=2) < latest < END
    ((first,),) = ask(lender, "SELECT min(event_time) FROM transactions")
    assert first >= END - timedelta(days=130)


def test_a_few_rows_become_known_late_and_most_within_seconds(lender: Simulation) -> None:
    ((late, soon, worst, never),) = ask(
        lender,
        """
        SELECT avg((available_time - event_time > INTERVAL 1 HOUR)::INT),
            avg((available_time - event_time < INTERVAL 30 SECONDS)::INT),
            max(epoch(available_time - event_time)) / 86400, count(*) FILTER (available_time < event_time)
        FROM transactions
        """,
    )
    assert 0.03 < late < 0.05
    assert soon > 0.95
    assert 2 < worst <= 7
    assert never == 0


def test_an_outcome_is_there_exactly_where_the_loan_was_due_before_the_end(lender: Simulation) -> None:
    wrong = ask(
        lender,
        f"""
        FROM loans SELECT count(*) WHERE due_at <> disbursed_at + INTERVAL 30 DAYS OR term_days <> 30
            OR (due_at < '{END}') <> (defaulted_30d IS NOT NULL)
            OR (defaulted_30d IS NULL) <> (outcome_at IS NULL)
            OR (outcome_at IS NULL) <> (available_time IS NULL)
            OR outcome_at <> due_at OR available_time < outcome_at
        """,
    )
    assert wrong == [(0,)]
    ((open_loans, late),) = ask(
        lender,
        """
        SELECT count(*) FILTER (outcome_at IS NULL),
            count(*) FILTER (available_time > outcome_at + INTERVAL 1 HOUR)
        FROM loans
        """,
    )
    assert open_loans > 100
    assert late > 10


def test_a_borrower_has_one_loan_at_a_time(lender: Simulation) -> None:
    overlapping = """
        SELECT count(*) FROM loans earlier JOIN loans later USING (borrower_id)
        WHERE earlier.disbursed_at < later.disbursed_at AND later.disbursed_at <= earlier.due_at
    """
    assert ask(lender, overlapping) == [(0,)]


def test_borrowers_change_devices_and_some_are_no_longer_active(lender: Simulation) -> None:
    ((most,),) = ask(lender, "SELECT max(n) FROM (SELECT count(*) AS n FROM devices GROUP BY borrower_id)")
    assert most > 3
    assert ask(lender, "SELECT count(*) FROM borrowers ANTI JOIN devices USING (borrower_id)") == [(0,)]
    assert ask(lender, "SELECT count(*) FROM devices WHERE is_rooted AND os LIKE 'ios%'") == [(0,)]
    ((active,),) = ask(lender, "SELECT avg(active::INT) FROM borrowers")
    assert 0.8 < active < 1
    gone = """
        SELECT count(*) FROM borrowers JOIN transactions USING (borrower_id)
        WHERE NOT active AND event_time > '2026-06-30'
    """
    assert ask(lender, gone) == [(0,)]


def test_amounts_have_a_heavy_tail(lender: Simulation) -> None:
    kenya = """
        SELECT quantile_cont(amount, 0.999) / median(amount), min(amount)
        FROM transactions WHERE borrower_id LIKE 'ke%'
    """
    ((spread, least),) = ask(lender, kenya)
    assert spread > 50
    assert least >= 0.01


def test_weeks_and_pay_days_show(lender: Simulation) -> None:
    days = dict(
        ask(
            lender,
            """
            SELECT dayname(timezone('Africa/Nairobi', event_time)), count(*) FROM transactions
            WHERE channel <> 'salary' AND event_time BETWEEN '2026-03-01 21:00' AND '2026-05-31 20:59:59' GROUP BY 1
            """,
        )
    )
    assert days["Friday"] > 1.3 * days["Sunday"]
    paid = ask(
        lender,
        """
        SELECT DISTINCT day(timezone('Africa/Nairobi', event_time)) FROM transactions
        WHERE channel = 'salary' AND borrower_id LIKE 'ke%' ORDER BY 1
        """,
    )
    assert paid == [(28,), (30,), (31,)]


def test_people_sleep_at_night_on_their_own_clocks(lender: Simulation) -> None:
    busy = """
        SELECT mode(hour(timezone('{zone}', event_time))), avg((hour(timezone('{zone}', event_time)) < 5)::INT)
        FROM transactions WHERE borrower_id LIKE '{market}%'
    """
    for market, zone in (("ke", "Africa/Nairobi"), ("gh", "Africa/Accra"), ("zz", "UTC")):
        ((hour, night),) = ask(lender, busy.format(zone=zone, market=market))
        assert hour in (17, 18, 19)
        assert night < 0.04


@pytest.mark.parametrize(
    "parameters",
    [
        LenderParameters(end=date(2026, 7, 1), markets=("ke",), days=1, borrowers=1),
        LenderParameters(end=date(1970, 1, 3), markets=("ke",), days=2, borrowers=3),
        LenderParameters(end=date(2200, 1, 1), markets=("abcdefgh",), days=20, borrowers=2, seed=2**70),
        LenderParameters(end=date(2026, 4, 1), markets=("ke",), days=40, borrowers=5, timezone="America/St_Johns"),
    ],
)
def test_the_smallest_and_the_strangest_lenders(parameters: LenderParameters, out: Path) -> None:
    simulated = simulate_lender(parameters, out, lambda _: None)
    assert simulated.rows["borrowers"] == parameters.borrowers
    assert ask(simulated, "SELECT count(*) FROM devices") == [(simulated.rows["devices"],)]
    if not simulated.overall.loans:
        assert simulated.overall.roc_auc is simulated.overall.brier is None
