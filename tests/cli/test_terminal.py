from optical_cli.cli import terminal


def test_text_of_data_stands_in_a_table_as_it_is(capsys):
    terminal.print_table(["topic", "text"], [["q1", "the [bold]boat[/bold] \x1b[2J :boat:"]])
    assert "the [bold]boat[/bold] \\x1b[2J :boat:" in capsys.readouterr().out


def test_the_foot_of_a_table_stands_below_a_gap(capsys):
    terminal.print_table(["a", "b"], [["1", "2"]], foot=[["sum", "3"]])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    first = next(number for number, line in enumerate(lines) if line.startswith("1"))
    assert (lines[first + 1], lines[first + 2].split()) == ("", ["sum", "3"])


def test_many_pairs_are_folded_to_the_width_of_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "text_width", lambda: 40)
    heads = ["", *(f"pair-{i:02}" for i in range(10))]
    terminal.print_in_blocks(heads, [["reg 0", *map(str, range(10))], ["reg inf", *map(str, range(10))]])
    lines = capsys.readouterr().out.splitlines()
    assert [sum("reg inf" in line for line in lines), max(map(len, lines)) <= 40] == [4, True]
    assert all(any(head in line for line in lines) for head in heads)
