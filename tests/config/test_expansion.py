import pytest

from modelyard.config.expansion import MOST_MODELS, check_for_each, combinations
from tests.config.conftest import SmallProject


def test_several_variables_make_every_combination() -> None:
    made = combinations({"market": ["ke", "gh"], "days": [7, 30]})
    assert made == [
        {"market": "ke", "days": 7},
        {"market": "ke", "days": 30},
        {"market": "gh", "days": 7},
        {"market": "gh", "days": 30},
    ]


@pytest.mark.parametrize("for_each", [None, {}, [], {"a": []}, {"a": "b"}, {"a": [None]}])
def test_what_is_no_list_of_values_makes_one(for_each: object) -> None:
    assert combinations(for_each) == [{}]


def test_too_many_models_are_one_problem_and_not_more(small: SmallProject) -> None:
    values = list(range(100_000))
    assert combinations({"a": values, "b": ["x", "y"]}) == [{"a": 0, "b": "x"}]
    small.replace("default.yaml", "name: default\n", f"name: default_${{a}}\nfor_each: {{a: {values}}}\n")
    assert small.said() == ["default.yaml for_each: this makes 100000 models, more than 1000"]


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ({"name": "a", "for_each": {"x": [1]}}, ("for_each", "x"), "nothing uses `x`"),
        ({"name": "a", "owner": "${x}", "for_each": {"x": [1, 2]}}, ("name",), "would have one name"),
        ({"name": "a_${x}", "for_each": {"x": ["b", "b"]}}, ("for_each", "x", 1), "`b` is named twice"),
        (
            {"name": "a_${data}", "for_each": {"data": ["b"]}},
            ("for_each", "data"),
            "variable of modelyard.yaml as well",
        ),
        ({"name": "a_${x}", "for_each": {"x": list(range(2000))}}, ("for_each",), f"more than {MOST_MODELS}"),
    ],
)
def test_models_that_cannot_be_told_apart_are_found(document: dict[str, object], path: object, words: str) -> None:
    (finding,) = check_for_each(document, {"data"})
    assert finding.path == path
    assert words in finding.reason


@pytest.mark.parametrize("document", [{}, {"for_each": 3}, {"name": "${x}", "for_each": {"x": ["a", "b"]}}])
def test_a_document_without_a_mistake(document: dict[str, object]) -> None:
    assert list(check_for_each(document, ())) == []
