from optical_cli.data.paths import TINY, builtin_experiment


def test_an_experiment_in_the_package_has_a_short_name():
    assert builtin_experiment("tiny") == TINY / "experiment.yaml"
    assert builtin_experiment("experiments/miracl-yo.yaml") is None
