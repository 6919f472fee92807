"""Upload an exported student to the Hugging Face hub."""

from pathlib import Path

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from optical_cli.errors import ConfigError, OpticalError, one_line


def check_push(repo: str) -> None:
    """Check that a push can work, before anything expensive starts.

    Raises:
        ConfigError: the name is not that of a repository, there is no token, or the hub is switched off.
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
        raise ConfigError(f"--push {repo}: no Hugging Face token; run `hf auth login` or set HF_TOKEN")


def push_folder(folder: Path, repo: str, message: str, *, private: bool) -> str:
    """Upload a folder to a model repository, which is created if it does not exist, and return its address.

    Raises:
        ConfigError: `private` is set, and the repository exists and is public.
        OpticalError: the hub cannot be reached or refuses the upload. The folder stays.
    """
    api = HfApi()
    try:
        url = api.create_repo(repo, private=private, exist_ok=True)
        if private and not api.model_info(repo).private:
            raise ConfigError(
                f"--push {repo}: the repository exists and is public, which --private does not change, so nothing was "
                "uploaded; make it private on the hub, or choose another repository"
            )
        api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message)
    except ConfigError:
        raise
    # the errors of the hub library share no base class, and its HTTP library differs between versions
    except Exception as error:
        raise OpticalError(
            f"--push {repo}: the upload failed ({one_line(error)}); the export is complete in {folder}; "
            f"check the network and the token, then run `hf upload {repo} {folder}`"
        ) from error
    return str(url)
