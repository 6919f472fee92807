from optical_cli.pipeline.cells import Cell


def test_a_label_has_all_digits_of_a_reg():
    """It stands in messages and in the names of folders, and `optical distill --reg` takes it."""
    assert Cell("yo-yo", "transport", 0.0021544346900318843, 13).name == "reg0.0021544346900318843-seed13"
