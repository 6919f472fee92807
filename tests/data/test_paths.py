from optical_cli.data.paths import TINY, builtin_experiment


def test_a_packaged_experiment_has_a_short_name_and_other_names_are_files():
    assert builtin_experiment("tiny") == TINY / "experiment.yaml"
    assert builtin_experiment("experiments/miracl-yo.yaml") is None
