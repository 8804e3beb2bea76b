#!/bin/sh
# From YAML files to scores on this machine, in ordinary `modelyard` commands. Run it again: it changes nothing.
# Killed at any moment, it goes on from there when it is run again.
set -eu
cd "$(dirname "$0")"

borrowers=${BORROWERS:-3000}   # in each market
end=2026-07-01                 # the day after the last simulated one; also the day that is scored

step() {
    printf '\n\033[1m%s\033[0m\n' "$1"
    shift
    printf '$ modelyard %s\n' "$*"
    modelyard "$@"
}

step 'Simulate a mobile-money lender: 181 days in three markets' \
    simulate lender --markets ke,gh,ug --days 181 --borrowers "$borrowers" --end "$end" --seed 7 --out data
step 'Check every document' validate
plan=0
step 'See what applying them would do' plan || plan=$?
[ "$plan" -eq 0 ] || [ "$plan" -eq 2 ] || exit "$plan"   # 2: there are changes
step 'Compute the features as of each midnight' \
    features materialise borrower_history device_profile loan_history --from 2026-02-01 --to "$end"
step 'Apply: train three architectures for each market, register what passes its gates, promote it' apply --wait
step 'Write the DAG specifications that Airflow reads' poll
step 'Score every borrower as of the next midnight' score --as-of "$end" --version latest
printf '\n'
python summary.py
