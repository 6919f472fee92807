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


NAMES = ["sw-builtin:tiny-full-sw-reginf-seed13", "en-sw-full-reg0.05-seed13"]
KEYS = ["deda68cabfee", "4c26a8da086c"]


def table_at(width, monkeypatch, capsys, heads, rows, **options):
    monkeypatch.setattr(terminal, "text_width", lambda: width)
    terminal.print_table(heads, rows, **options)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if line]


def test_a_table_that_is_too_wide_breaks_no_name_and_no_key(monkeypatch, capsys):
    rows = [[name, key, "in the cache", "13,593"] for name, key in zip(NAMES, KEYS, strict=True)]
    lines = table_at(56, monkeypatch, capsys, ["artifact", "key", "state", "tokens"], rows, numbers_from=3)
    assert lines == [
        "artifact                                key",
        "    state          tokens",
        "─" * 52,
        f"{NAMES[0]}   {KEYS[0]}",
        "    in the cache   13,593",
        f"{NAMES[1]}               {KEYS[1]}",
        "    in the cache   13,593",
    ]


def test_a_line_without_content_is_left_out_of_a_table_that_is_too_wide(monkeypatch, capsys):
    lines = table_at(40, monkeypatch, capsys, ["artifact", "key"], [[NAMES[0], ""], [NAMES[1], KEYS[1]]])
    assert lines[3:] == [NAMES[0], NAMES[1], f"    {KEYS[1]}"]


def test_prose_gives_way_to_names_and_is_wrapped_between_words(monkeypatch, capsys):
    prose = "made by a training that has gone on for longer than anybody would have thought"
    lines = table_at(80, monkeypatch, capsys, ["artifact", "how"], [[NAMES[0], prose]])
    assert max(map(len, lines)) <= 80
    assert sum(NAMES[0] in line for line in lines) == 1
    assert " ".join(" ".join(lines[2:]).replace(NAMES[0], "").split()) == prose


def test_a_table_that_fits_is_one_line_a_row(monkeypatch, capsys):
    lines = table_at(80, monkeypatch, capsys, ["artifact", "key"], [*zip(NAMES, KEYS, strict=True)])
    assert len(lines) == 4


def test_a_line_is_wrapped_between_words_on_a_terminal_and_nowhere_else(monkeypatch, capsys):
    line = f"✓ bitext.sw: {NAMES[0]} of 362.6 kB"
    terminal.print_lines(line, indent="    ")
    assert capsys.readouterr().out == f"{line}\n"
    monkeypatch.setattr(terminal.sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(terminal, "text_width", lambda: 40)
    terminal.print_lines(line, indent="    ")
    assert capsys.readouterr().out == f"✓ bitext.sw:\n    {NAMES[0]}\n    of 362.6 kB\n"
