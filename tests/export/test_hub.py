from types import SimpleNamespace

import pytest

from optical_cli.errors import ConfigError, OpticalError
from optical_cli.export import hub


@pytest.fixture
def api(monkeypatch):
    """The hub as far as we call it, and what it was asked."""
    calls = []

    class Api:
        public = False
        down = None

        def create_repo(self, repo, **settings):
            if Api.down:
                raise Api.down
            calls.append(("create", repo, settings))
            return f"https://hub/{repo}"

        def model_info(self, _repo):
            return SimpleNamespace(private=not Api.public)

        def upload_folder(self, **settings):
            calls.append(("upload", settings))

    Api.calls = calls
    monkeypatch.setattr(hub, "HfApi", Api)
    monkeypatch.setattr(hub, "get_token", lambda: "token")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    return Api


def test_a_repository_is_made_and_the_folder_uploaded(api, tmp_path):
    assert hub.push_folder(tmp_path, "lab/yo", "a message", private=True) == "https://hub/lab/yo"
    assert api.calls == [
        ("create", "lab/yo", {"private": True, "exist_ok": True}),
        ("upload", {"repo_id": "lab/yo", "folder_path": tmp_path, "commit_message": "a message"}),
    ]


def test_private_does_not_end_in_a_repository_that_is_public(api, tmp_path):
    api.public = True
    with pytest.raises(ConfigError, match="lab/yo: the repository exists and is public"):
        hub.push_folder(tmp_path, "lab/yo", "a message", private=True)
    assert [call[0] for call in api.calls] == ["create"]


def test_a_hub_that_cannot_be_reached_is_told_in_a_line_with_what_to_do(api, tmp_path):
    api.down = ConnectionError("no route\nto host")
    with pytest.raises(OpticalError) as fault:
        hub.push_folder(tmp_path, "lab/yo", "a message", private=False)
    assert "ConnectionError: no route to host" in str(fault.value)
    assert f"hf upload lab/yo {tmp_path}" in str(fault.value)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("repo", ["yo", "a/b/c", "lab/", "lab/yo yo", "lab/-yo"])
def test_what_is_no_repository_is_refused(api, repo):  # noqa: ARG001
    with pytest.raises(ConfigError, match="ORG/NAME expected"):
        hub.check_push(repo)


def test_without_a_token_or_offline_nothing_is_started(api, monkeypatch):  # noqa: ARG001
    hub.check_push("lab/yo")
    monkeypatch.setattr(hub, "get_token", lambda: None)
    with pytest.raises(ConfigError, match="no Hugging Face token; run `hf auth login`"):
        hub.check_push("lab/yo")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match="HF_HUB_OFFLINE"):
        hub.check_push("lab/yo")
