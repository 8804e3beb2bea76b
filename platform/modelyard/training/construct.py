"""From `{use: CLASS, with: {…}}` to an object: allowed classes only, every mistake named with its place.

Where the config leaves them unset, arguments that every class spells alike are filled in here: the seed, the
threads, dense output. One more such argument is one more line in `Ingredients.fillings`.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modelyard.config.kinds.architecture import Use
from modelyard.errors import InvalidData
from modelyard.near_miss import near_miss
from modelyard.training.modules import MODULES, allowed_module

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Ingredients:
    """What a pipeline is made with, besides its steps."""

    features: Mapping[str, str]
    """Feature → number, category or boolean, in the order of the frame's columns."""
    seed: int = 0
    """Goes into every `random_state` and `seed`."""
    threads: int = 1
    """Goes into every `n_jobs` of what holds no other estimator."""
    classes: tuple[str, ...] = ()
    """The names of the classes, in the order of their codes; for estimators that speak of them by name."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """The project's own modules → the packages that they were imported as."""

    def fillings(self, made: type[Any], *, is_leaf: bool) -> dict[str, Any]:
        """Arguments and the values that they get where the config leaves them unset.

        Args:
            made: The class.
            is_leaf: Whether the object holds no other estimator. One that does would start processes of its own.
        """
        is_one_anyway = self.threads == 1 and made.__module__.startswith("sklearn.")
        threads = {"n_jobs": self.threads} if is_leaf and not is_one_anyway else {}
        return {
            "random_state": self.seed,
            "seed": self.seed,
            "sparse_output": False,
            "class_names": list(self.classes),
            **threads,
        }


def build(value: Any, path: str, ingredients: Ingredients) -> Any:
    """A value of `with`: every mapping with `use` in it is made into an object, at any depth.

    Args:
        value: JSON.
        path: Its place in the document, such as `pipeline[1].with.estimators`.
        ingredients: What it is made with.

    Raises:
        InvalidData: A class or an argument is unknown, or the class does not take the value.
        MissingExtra: The class's library is not installed.
    """
    if isinstance(value, dict) and "use" in value:
        try:
            use = Use.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in (path, *first["loc"]))
            reason = f"{place}: {first['msg']}"
            raise InvalidData(reason, "an object has `use` and `with`, nothing else") from error
        return build_use(use, path, ingredients)
    if isinstance(value, dict):
        return {key: build(item, f"{path}.{key}", ingredients) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [build(item, f"{path}[{index}]", ingredients) for index, item in enumerate(value)]
        # `estimators` and `steps` hold pairs of a name and an object; scikit-learn takes them apart as tuples.
        is_pair = len(items) == 2 and isinstance(items[0], str) and _is_object(items[1])  # noqa: PLR2004 - a pair
        return tuple(items) if is_pair else items
    return value


def build_use(use: Use, path: str, ingredients: Ingredients) -> Any:
    """The object that a `use` describes; see `build`."""
    made = find_class(use.use, f"{path}.use", ingredients.packages)
    given = {name: build(value, f"{path}.with.{name}", ingredients) for name, value in use.with_.items()}
    parameters, is_open = parameters_of(made)
    _check_names(given, use.use, (parameters, is_open), f"{path}.with")
    for name, value in given.items():
        wants_tuple = name in parameters and isinstance(parameters[name].default, tuple)
        given[name] = tuple(value) if wants_tuple and isinstance(value, list) else value
    try:
        return made(**_filled(made, given, parameters, ingredients))
    except (TypeError, ValueError) as error:
        reason = f"{path}: {use.use} could not be made: {error}"
        raise InvalidData(reason, f"see the documentation of {use.use} for its arguments") from error


def find_class(dotted: str, path: str, packages: Mapping[str, str]) -> type[Any]:
    """A class of an allowed module, by its dotted name.

    Args:
        dotted: Such as `sklearn.linear_model.LogisticRegression`.
        path: Where it is named, for the error.
        packages: The project's own modules → the packages that they were imported as.

    Raises:
        InvalidData: The module is not allowed, or has no such class.
        MissingExtra: The module's library is not installed.
    """
    module_name, _, class_name = _real_name(dotted, path, packages).rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        library = allowed_module(dotted)
        if library is not None and error.name == library.prefix.split(".")[0]:
            raise library.missing() from error
        reason = f"{path}: there is no module `{error.name}` (for `{dotted}`)"
        raise InvalidData(reason, "within a module of the project, import its other files relatively") from error
    found = getattr(module, class_name, None)
    # A library's modules also hold what they import; only what the library itself defines is allowed.
    if not isinstance(found, type) or not found.__module__.startswith(module_name.split(".")[0]):
        classes = [name for name in dir(module) if isinstance(getattr(module, name, None), type)]
        reason = f"{path}: `{dotted}` is not a class of `{dotted.rpartition('.')[0]}`"
        raise InvalidData(reason, near_miss(class_name, classes, what="its classes"))
    return found


def parameters_of(made: type[Any]) -> tuple[dict[str, inspect.Parameter], bool]:
    """The arguments that a class names, and whether it takes others as well.

    XGBoost's classes hand most of theirs on to the class above, so the search goes up while names may be missing.
    """
    named: dict[str, inspect.Parameter] = {}
    is_open = False
    for above in made.__mro__[:-1]:
        if "__init__" in vars(above):
            parameters = list(inspect.signature(vars(above)["__init__"]).parameters.values())[1:]
            is_open = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
            several = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
            named = {one.name: one for one in parameters if one.kind not in several} | named
            if not is_open:
                break
    return named, is_open


def _real_name(dotted: str, path: str, packages: Mapping[str, str]) -> str:
    if any(part.startswith("_") for part in dotted.split(".")):
        reason = f"{path}: `{dotted}` is private to its library"
        raise InvalidData(reason, "name a public class")
    for name, package in packages.items():
        if dotted.startswith(f"{name}."):
            return package + dotted.removeprefix(name)
    if allowed_module(dotted) is None:
        allowed = ", ".join(f"`{name}`" for name in (*packages, *MODULES))
        reason = f"{path}: `{dotted}` lies in no module that pipelines may name"
        raise InvalidData(reason, f"allowed are {allowed}, and modules of the project under `modules`")
    return dotted


def _check_names(given: Mapping[str, Any], dotted: str, parameters: tuple[Mapping[str, Any], bool], path: str) -> None:
    known, is_open = set(parameters[0]), parameters[1]
    if is_open:
        module = allowed_module(dotted)
        if module is None:
            return  # a class of the project that takes any argument
        known |= module.keywords()
    for name in given:
        if name not in known:
            reason = f"{path}.{name}: {dotted} has no such argument"
            raise InvalidData(reason, near_miss(name, known, what="its arguments"))


def _filled(
    made: type[Any], given: Mapping[str, Any], parameters: Mapping[str, Any], ingredients: Ingredients
) -> dict[str, Any]:
    if not hasattr(made, "get_params"):
        return dict(given)  # no estimator: a splitter, a kernel; a seed would contradict its defaults
    is_leaf = not any(_holds_object(value) for value in given.values())
    fillings = ingredients.fillings(made, is_leaf=is_leaf)
    return {**{name: value for name, value in fillings.items() if name in parameters}, **given}


def _is_object(value: Any) -> bool:
    return hasattr(value, "get_params")


def _holds_object(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_object(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_holds_object(item) for item in value)
    return _is_object(value)
