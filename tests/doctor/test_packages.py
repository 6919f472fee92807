from optical_cli.doctor import packages
from optical_cli.doctor.packages import look_at_packages


def test_what_is_installed_is_what_is_asked_for():
    python, found = look_at_packages()
    assert (python.state, found.state) == ("ok", "ok")
    assert "torch " in found.found


def test_packages_that_are_missing_or_of_another_version(monkeypatch):
    wanted = ["numpy>=99", "absent-from-here>=1", "pytest<0.1 ; extra == 'dev'", "other ; python_version < '3'"]
    monkeypatch.setattr(packages, "requires", lambda _name: wanted)
    _, found = look_at_packages()
    assert found.state == "fault"
    assert "numpy" in found.found
    assert ">=99 wanted" in found.found
    assert "absent-from-here is not installed" in found.found
    assert "pytest" not in found.found
    assert "other" not in found.found


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(packages, "OLDEST", (9, 9))
    python, _ = look_at_packages()
    assert (python.state, python.mend) == ("fault", "Python 9.9 or later is needed: make an environment of it")
