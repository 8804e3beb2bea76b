"""Templates reach what they are given, and end."""

import pytest

from modelyard.errors import InvalidData
from modelyard.features.templates import Rendered, render

PLACE = "feature set `history`, query"


def rendered(text: str) -> Rendered:
    return render(text, sources=["loans", "devices"], refs=["profile"], place=PLACE)


def test_relations_are_quoted_and_instants_are_bound() -> None:
    found = rendered("SELECT * FROM {{ source('loans') }} JOIN {{ ref('profile') }} USING (id) WHERE t < {{ as_of }}")
    assert found == Rendered(
        'SELECT * FROM "source:loans" JOIN "ref:profile" USING (id) WHERE t < $as_of', ("loans",), ("profile",)
    )


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("{% for days in [7, 30] %}s_{{ days }}{% if not loop.last %}, {% endif %}{% endfor %}", "s_7, s_30"),
        ("{% for name, days in [('a', 1), ('b', 2)] %}{{ name }}{{ days }} {% endfor %}", "a1 b2 "),
        ("{% set days = [1, 2] %}{% for day in days %}{{ day }}{% endfor %}", "12"),
        ("{% for number in range(3) %}{{ number }}{% else %}none{% endfor %}", "012"),
        ("{{ 'x' if 1 < 2 and not 3 == 4 else 'y' }}{# a note #}", "x"),
        ("{% raw %}{{ as_of }}{% endraw %}", "{{ as_of }}"),
    ],
)
def test_what_a_template_may_do(text: str, sql: str) -> None:
    assert rendered(text).sql == sql


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ ''.__class__ }}", "look at attributes"),
        ("{{ ''|attr('__class__') }}", "may not use a filter"),
        ("{{ ''['__class__'] }}", "may not use a subscript"),
        ("{{ source.__globals__ }}", "look at attributes"),
        ("{{ as_of.__class__.__mro__ }}", "look at attributes"),
        ("{% for i in [1] %}{{ loop.__class__ }}{% endfor %}", "look at attributes"),
        ("{% for i in [1] %}{{ loop(1) }}{% endfor %}", "may call source, ref and range"),
        ("{{ namespace(x=1) }}", "may call source, ref and range"),
        ("{{ source('loans').format() }}", "may call source, ref and range"),
        ("{{ ref(name='profile') }}", "takes plain arguments"),
        ("{{ source(*['loans']) }}", "takes plain arguments"),
        ("{{ __turn() }}", "may call source, ref and range"),
        ("{% set __turn = 1 %}", "knows no `__turn`"),
        ("{{ 'a' ~ 'b' }}", "may not use a `~`"),
        ("{{ 'a' * 1000000000 }}", "may not use a mul"),
        ("{{ '%1000000000d' % 1 }}", "may not use a mod"),
        ("{{ 10 ** 10 ** 10 }}", "may not use a pow"),
        ("{% macro again() %}{{ again() }}{% endmacro %}", "may not use a macro"),
        ("{% include '/etc/passwd' %}", "may not use a include"),
        ("{% import 'os' as os %}", "may not use a import"),
        ("{% extends 'x' %}", "may not use a extends"),
        ("{% if x is defined %}{% endif %}", "may not use a test"),
        ("{% for i in [1] if i %}{% endfor %}", "neither `if` nor `recursive`"),
        ("{% for i in [1] recursive %}{% endfor %}", "neither `if` nor `recursive`"),
        ("{% set x %}text{% endset %}", "may not use a assignblock"),
        ("{{ source('borrowers') }}", "no source `borrowers`"),
        ("{{ ref('history') }}", "no feature set `history`"),
        ("{{ now }}", "'now' is undefined"),
        ("{{ [1] }}", "neither a number nor a word"),
        ("{{ none }}", "neither a number nor a word"),
        ("{{ source }}", "neither a number nor a word"),
        ("{{ range('a') }}", "cannot be interpreted as an integer"),
        ("{{ source('loans'", "unexpected end of template"),
        ("a\n{% for %}", "line 2"),
        ("x" * 100_001, "longer than 100,000 characters"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "nested too deeply"),
    ],
)
def test_what_it_may_not(text: str, reason: str) -> None:
    with pytest.raises(InvalidData) as caught:
        rendered(text)
    assert caught.value.reason.startswith(PLACE)
    assert reason in caught.value.reason
    assert "source('name')" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(1000000000000) %}{% endfor %}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% for a in range(9999) %}" + "x" * 1000 + "{% endfor %}",
        "{% set a = [1, 1] %}"
        + "{% set a = [a, a] %}" * 60
        + "{% for x in a %}{% for y in x %}{% endfor %}{% endfor %}",
    ],
)
@pytest.mark.timeout(20)
def test_it_ends_in_time(text: str) -> None:
    try:
        rendered(text)
    except InvalidData as error:
        assert "its loops turn more than" in error.reason or "it renders to more than" in error.reason  # noqa: PT017 - not every template is refused
