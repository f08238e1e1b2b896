"""Which names mean something, for data sets and for models."""

import pytest

from wardround.data.legacy.inert import Refused, Stub
from wardround.data.legacy.names import for_data, for_model


def test_names_of_python_2_and_of_both_numpys_mean_the_same() -> None:
    assert for_data("__builtin__", "set") == for_data("builtins", "set")
    assert for_data("numpy._core.multiarray", "_reconstruct") == for_data("numpy.core.multiarray", "_reconstruct")


@pytest.mark.parametrize(("module", "name"), [("os", "system"), ("posix", "system"), ("subprocess", "Popen"), ("sys", "exit"),
                                              ("builtins", "eval"),
                                              ("importlib", "import_module"), ("nt", "system"), ("commands", "getoutput"),
                                              ("operator", "attrgetter"), ("types", "CodeType")])
def test_the_standard_library_is_refused_even_for_models(module: str, name: str) -> None:
    for find in (for_data, for_model):
        with pytest.raises(Refused, match=f"{module}.{name}"):
            find(module, name)


def test_a_model_may_name_a_function_but_not_call_it() -> None:
    relu = for_model("torch.nn.functional", "relu")
    assert relu.make is None
    with pytest.raises(Refused):
        for_data("torch.nn.functional", "relu")


def test_a_class_becomes_a_stub_whatever_it_is_called() -> None:
    for name in ("Linear", "_DenseLayer"):
        made = for_model("lab.models", name).make
        assert made is not None
        assert isinstance(made(1, 2), Stub)
    made = for_model("unet_parts", "double_conv").new  # a class in small letters: made by NEWOBJ, never called
    assert made is not None
    assert isinstance(made(), Stub)
    assert for_model("unet_parts", "double_conv").make is None


def test_containers_are_made_of_what_is_listed_only() -> None:
    make = for_data("builtins", "list").make
    assert make is not None
    assert make((1, 2)) == [1, 2]
    with pytest.raises(Refused, match=r"builtins.list of a range"):
        make(range(10**12))
