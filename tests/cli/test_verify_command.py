import json


def test_a_table_a_record_and_what_differs(optical, lab, own_swept):
    said = optical("verify", lab.experiment, "--cache-dir", own_swept)
    assert said.code == 0, said.err
    assert said.out.count("same") == 12
    assert said.err.splitlines()[-1] == "12 of 12 artifacts came out the same, 0 did not"
    (path,) = own_swept.glob("runs/sw-sw-full-reg0-*/run.trec")
    scores = next(own_swept.glob("scores/sw-sw-full-reg0-*/scores.json"))
    text = scores.read_text()
    scores.write_text(text.replace("1.0", "0.0", 1))
    said = optical("verify", lab.experiment, "--json", "--cache-dir", own_swept)
    assert said.code == 1
    wrong = [record for record in json.loads(said.out) if record["state"] != "same"]
    assert [(record["label"], record["state"]) for record in wrong] == [("sw-sw-full-reg0-seed13", "damaged")]
    assert "SHA-256 differs" in wrong[0]["reasons"][0]
    assert said.err.splitlines()[-1] == "11 of 12 artifacts came out the same, 1 did not"
    scores.write_text(text)
    path.unlink()
    path.with_name("manifest.json").unlink()
    said = optical("verify", lab.experiment, "--cache-dir", own_swept)
    assert said.code == 0
    assert "made of runs/sw-sw-full-reg0-seed13, which the cache does not hold" in said.out
    assert said.err.splitlines()[-1] == "11 of 12 artifacts came out the same, 0 did not"


def test_deep_of_a_kind(optical, lab, swept):
    said = optical("verify", lab.experiment, "--deep", "--kind", "runs", "--cache-dir", swept, "--device", "cpu")
    assert said.code == 0, said.err
    assert said.out.count("same") == 12
    assert "runs/sw-sw-full-none-" in said.err


def test_what_cannot_be_asked(optical, lab, swept, tmp_path):
    said = optical("verify", lab.experiment, "--kind", "runs", "--cache-dir", swept)
    assert said.errors == ["error: --kind: stands with --deep; without it scores alone are verified"]
    said = optical("verify", lab.experiment, "--deep", "--kind", "run", "--cache-dir", swept)
    assert (said.code, len(said.errors)) == (2, 1)
    assert said.errors[0].startswith("error: --kind run: one of encodings, checkpoints, ")
    said = optical("verify", lab.experiment, "--cache-dir", tmp_path / "cache")
    assert (said.code, said.out) == (2, "")
    assert "the cache holds nothing of it to verify; run `optical sweep " in said.err
