"""Versions change under load: no request fails, and every answer is of one version alone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from scoring_service.app import create_app
from tests.registries import running
from tests.scoring.trained import loans, train
from tests.scoring.versions import apply
from tests.training import yard
from tests.waiting import meanwhile, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from scoring_service.service import Service
    from tests.registries import Clock

ROWS = yard.table(rows=50, seed=9).select(list(yard.KINDS)).to_pylist()
SCORE = "/v1/models/loans/score"


@contextmanager
def asking(url: str, count: int = 3) -> Iterator[list[tuple[int, Any]]]:
    """What threads are told that ask without a pause."""
    told: list[tuple[int, Any]] = []
    with httpx.Client(base_url=url) as client:

        def ask() -> None:
            answer = client.post(SCORE, json={"features": ROWS})
            told.append((answer.status_code, answer.json()))

        with meanwhile(*[ask] * count):
            yield told


def test_twenty_promotions_lose_no_request_and_mix_no_answer(
    registry: LocalRegistry, service: Service, clock: Clock, tmp_path: Path
) -> None:
    name = apply(registry, loans())
    versions = [
        train(registry, tmp_path / "runs", loans(), table=yard.table(seed=seed), attempt=seed) for seed in range(4)
    ]
    registry.promote(name, versions[0], live_from=clock())
    with running(create_app(service)) as url:
        until(lambda: service.live.ready)
        expected: dict[int, list[float]] = {}
        with asking(url) as told:

            def take_over(version: int) -> list[float]:
                """Promote a version until somebody was answered by it; what it predicts."""
                before = len(told)
                registry.promote(name, version, live_from=clock.pass_(seconds=1))
                until(lambda: service.live.slots()[0].served == version)
                answer = service.live.get(name).answer("features", ROWS, clock())
                until(lambda: version in {content.get("version") for _, content in told[before:]})
                return [entry["prediction"] for entry in answer["predictions"]]

            for turn in range(1, 21):
                version = versions[turn % len(versions)]
                expected[version] = take_over(version)
    assert {status for status, _ in told} == {200}
    assert {content["version"] for _, content in told} == set(versions)
    assert len({tuple(predictions) for predictions in expected.values()}) == len(versions)
    for _, content in told:
        assert [entry["prediction"] for entry in content["predictions"]] == expected[content["version"]]


def test_a_version_with_a_flipped_bit_changes_no_answer(
    registry: LocalRegistry, service: Service, clock: Clock, tmp_path: Path
) -> None:
    name = apply(registry, loans())
    whole, broken = (train(registry, tmp_path / "runs", loans(), attempt=attempt) for attempt in (1, 2))
    file = tmp_path / "artifacts" / registry.version(name, broken).location / "model.skops"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    registry.promote(name, whole, live_from=clock())
    with running(create_app(service)) as url:
        until(lambda: service.live.ready)
        with asking(url) as told:
            registry.promote(name, broken, live_from=clock.pass_(seconds=1))
            until(lambda: service.live.slots()[0].failures)
            before = len(told)
            until(lambda: len(told) >= before + 10)
    assert "model.skops" in service.live.slots()[0].problem
    assert {(status, content["version"]) for status, content in told} == {(200, whole)}
