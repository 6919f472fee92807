from types import SimpleNamespace

import pytest

from optical_cli.errors import ConfigError, OpticalError
from optical_cli.export import hub


@pytest.fixture
def api(monkeypatch):
    """Replace the client of the hub by one that records its calls."""
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


def test_a_repository_is_created_and_the_folder_uploaded(api, tmp_path):
    assert hub.push_folder(tmp_path, "lab/yo", "a message", private=True) == "https://hub/lab/yo"
    assert api.calls == [
        ("create", "lab/yo", {"private": True, "exist_ok": True}),
        ("upload", {"repo_id": "lab/yo", "folder_path": tmp_path, "commit_message": "a message"}),
    ]


def test_a_private_export_is_not_uploaded_to_a_public_repository(api, tmp_path):
    api.public = True
    with pytest.raises(ConfigError, match="lab/yo: the repository exists and is public"):
        hub.push_folder(tmp_path, "lab/yo", "a message", private=True)
    assert [call[0] for call in api.calls] == ["create"]


def test_the_error_of_a_failed_upload_is_one_line_with_a_remedy(api, tmp_path):
    api.down = ConnectionError("no route\nto host")
    with pytest.raises(OpticalError) as caught:
        hub.push_folder(tmp_path, "lab/yo", "a message", private=False)
    assert "ConnectionError: no route to host" in str(caught.value)
    assert f"hf upload lab/yo {tmp_path}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("repo", ["yo", "a/b/c", "lab/", "lab/yo yo", "lab/-yo"])
def test_a_name_that_is_not_that_of_a_repository_is_refused(api, repo):  # noqa: ARG001
    with pytest.raises(ConfigError, match="ORG/NAME expected"):
        hub.check_push(repo)


def test_a_push_without_a_token_or_offline_is_refused(api, monkeypatch):  # noqa: ARG001
    hub.check_push("lab/yo")
    monkeypatch.setattr(hub, "get_token", lambda: None)
    with pytest.raises(ConfigError, match="no Hugging Face token; run `hf auth login`"):
        hub.check_push("lab/yo")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match="HF_HUB_OFFLINE"):
        hub.check_push("lab/yo")
