"""A result on its way out of the sandbox: a clean repository, a push, a pull request."""

from longshift.adapters.delivery.clean_repository import Identity
from longshift.adapters.delivery.delivering import Delivering
from longshift.adapters.delivery.remotes import Remotes

__all__ = ["Delivering", "Identity", "Remotes"]
