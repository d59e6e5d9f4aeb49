"""Models of the Hugging Face Hub: those on this computer, and fetching one that was named: our only network."""

from pathlib import Path

from cadcode.errors import ModelError

FILES = ("*.json", "*.safetensors")  # nothing that could hold code


def cached(name: str, file: str) -> Path | None:
    """A file of a model in the local cache, None where it is not there or where the name is no hub id."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        path = try_to_load_from_cache(name, file)
    except HFValidationError:
        return None
    return Path(path) if isinstance(path, str) else None


def fetch(name: str, files: tuple[str, ...] = FILES) -> Path:
    """The folder of a model's files, from the local cache or the network. ModelError says how to fetch it elsewhere."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError

    try:
        return Path(snapshot_download(name, allow_patterns=list(files)))
    except (OSError, ValueError, HTTPError) as e:
        raise ModelError(
            f"{name} is not on this computer and cannot be fetched ({type(e).__name__}); "
            f"with a network, run: {command(name, files)}"
        ) from e


def command(name: str, files: tuple[str, ...] = FILES) -> str:
    """The shell command that fetches a model, or single files of it, into the local cache."""
    return f"hf download {name}" + ("" if files == FILES else " " + " ".join(files))
