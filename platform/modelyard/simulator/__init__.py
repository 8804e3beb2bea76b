"""Simulated businesses whose data can be generated anywhere, with an optimum that is known.

One so far: a mobile-money lender (`lender.py`). A second would be one module beside it, over the same `output.py`.

`modelyard simulate lender --out OUT` writes Parquet files. Whatever happened before the midnight of `--end` is in them;
`available_time` says when a row became known, which for a few rows is after `--end`. Timestamps are UTC, in whole
seconds. Amounts are in the market's currency.

| table (`OUT/<table>/*.parquet`) | column | type | meaning |
| --- | --- | --- | --- |
| borrowers | borrower_id | string | one row for each borrower |
| | market | string | where the borrower lives: ke, gh, ug, … |
| | gender | string | female, male |
| | age_band | string | 18-24, 25-34, 35-44, 45-54, 55+ |
| | region | string | a region of the market |
| | registered_at | timestamp | when the borrower joined; no other row of theirs is earlier |
| | active | boolean | whether they still use their wallet at `--end` |
| transactions | borrower_id | string | whose wallet; loans and repayments are not booked here |
| | event_time | timestamp | when it happened |
| | available_time | timestamp | when it became known: mostly seconds later, for a few per cent hours to days later |
| | amount | double | how much |
| | direction | string | in, out |
| | channel | string | salary, transfer, agent, merchant, bill, airtime |
| devices | borrower_id | string | whose device; a row for each change of device |
| | seen_at | timestamp | when it was first seen |
| | available_time | timestamp | when that became known |
| | model, os, app_version | string | what it is |
| | is_rooted | boolean | whether its protections were removed |
| loans | loan_id, borrower_id, market | string | one row for each loan; a borrower has one at a time |
| | disbursed_at | timestamp | when it was paid out |
| | due_at | timestamp | 30 days later |
| | principal | double | how much was lent |
| | term_days | integer | 30 |
| | defaulted_30d | integer | 1: not repaid when due; 0: repaid; null: not due before `--end` |
| | outcome_at | timestamp | when the outcome was certain (= due_at); null: not due before `--end` |
| | available_time | timestamp | when the outcome became known; null: not due before `--end` |
| truth | loan_id | string | for tests alone, and never for a model: |
| | default_probability | double | the probability with which the outcome was drawn |

Beside them, `optimum.json` holds what a model that knew these probabilities would reach, by market and overall, and
`simulation.json` the parameters and the number of rows.

What decides a default is in `risk.py`. It sees only rows that happened before, and were known at, the midnight at or
before the disbursement (in `--timezone`), through windows that a feature set can compute.
"""
