import pytest

from optical_cli.cache.keys import canonical_json


def test_equal_values_have_equal_json():
    assert (
        canonical_json({"b": 1.0, "a": (1, None, True)})
        == '{"a":[1,null,true],"b":1}'
        == canonical_json({"a": [1.0, None, True], "b": 1})
    )
    assert canonical_json([float("inf"), float("-inf"), -0.0, 0.1]) == '["inf","-inf",0,0.1]'
    assert canonical_json("Yorùbá") == '"Yor\\u00f9b\\u00e1"'
    assert canonical_json(True) != canonical_json(1)
    assert canonical_json("1") != canonical_json(1)


def test_values_without_json_are_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"reg": float("nan")})
    with pytest.raises(TypeError):
        canonical_json({"path": object()})
