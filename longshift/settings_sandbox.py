"""Settings of what stands between a model's commands and the host. Part of `settings.Settings`."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

from longshift.settings_intake import listed_in_text

AbsolutePath = Annotated[str, Field(pattern=r"^/[^\x00]*$")]


class SandboxSettings(BaseSettings):
    """The backend, and what the operator adds to what commands can see."""

    sandbox: Literal["bubblewrap", "container", "none"] = "bubblewrap"
    """`none` confines nothing: for hosts that can be lost."""
    sandbox_readable: Annotated[tuple[AbsolutePath, ...], NoDecode] = ()
    """Absolute paths outside of /usr that every command may read, such as toolchains."""
    sandbox_path: Annotated[tuple[AbsolutePath, ...], NoDecode] = ()
    """Folders that commands look for programs in before the system's."""
    sandbox_shm_bytes: int = Field(default=256 * 1024 * 1024, ge=4_096)
    """The size of a command's `/dev/shm`."""
    sandbox_tmp_bytes: int = Field(default=512 * 1024 * 1024, ge=4_096)
    """The size of `/tmp` for what has none in its workspace."""

    container_program: Literal["docker", "podman"] = "docker"
    """Runs the containers of the backend `container`."""
    container_image: str = ""
    """What they are made from: an image with bash, git and python3, best named by its digest."""

    @field_validator("sandbox_readable", "sandbox_path", mode="before")
    @classmethod
    def _paths(cls, value: Any) -> Any:
        return listed_in_text(value)
