"""A row of a table has a name that tells it from every other."""

from optical_cli.artifacts.result import Setting


def test_two_regs_that_share_six_digits_are_two_rows_whose_names_can_be_typed_back():
    labels = [Setting("transport", reg).label for reg in (0.1234561, 0.1234562, 0.0021544346900318843)]
    assert labels == ["reg 0.1234561", "reg 0.1234562", "reg 0.0021544346900318843"]
