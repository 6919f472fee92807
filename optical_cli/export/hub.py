"""The Hugging Face hub, as far as an export needs it."""

from pathlib import Path

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from optical_cli.errors import ConfigError, OpticalError, one_line


def check_push(repo: str) -> None:
    """Refuse to push before anything expensive starts.

    Raises:
        ConfigError: the name is no repository's, nobody is logged in, or the hub is switched off.
    """
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise ConfigError(f"--push {repo}: ORG/NAME expected ({one_line(error)})") from error
    if repo.count("/") != 1:
        raise ConfigError(f"--push {repo}: ORG/NAME expected, such as my-lab/optical-yo")
    if constants.HF_HUB_OFFLINE:
        raise ConfigError(f"--push {repo}: HF_HUB_OFFLINE switches the hub off; unset it, or leave out --push")
    if get_token() is None:
        raise ConfigError(f"--push {repo}: no Hugging Face token; run `hf auth login` or set HF_TOKEN, then again")


def push_folder(folder: Path, repo: str, message: str, *, private: bool) -> str:
    """Upload a folder as a model repository, creating it if need be, and return its address.

    Raises:
        ConfigError: it should be private, and exists already in public.
        OpticalError: the hub cannot be reached or refuses; the folder stays.
    """
    api = HfApi()
    try:
        url = api.create_repo(repo, private=private, exist_ok=True)
        if private and not api.model_info(repo).private:
            raise ConfigError(
                f"--push {repo}: the repository exists and is public, which --private does not change; nothing was "
                "uploaded: make it private on the hub, or name another one"
            )
        api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message)
    except ConfigError:
        raise
    # its errors share no base class, and the HTTP library under it has changed from version to version
    except Exception as error:
        raise OpticalError(
            f"--push {repo}: the hub did not take it ({one_line(error)}); the export is complete in {folder}: "
            f"check the network and the token, then run `hf upload {repo} {folder}`"
        ) from error
    return str(url)
