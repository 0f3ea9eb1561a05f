"""Where secrets are: references, resolved when they are used, and who may use those that tasks can ask for."""

from longshift.adapters.secrets.book import SecretBook
from longshift.adapters.secrets.definition import SecretDefinition
from longshift.adapters.secrets.reference import SecretReference, readable_by_others
from longshift.adapters.secrets.referred import (
    PossiblyReferred,
    ReferredSecret,
    is_reference,
    reference_of,
    values_seen,
)

__all__ = [
    "PossiblyReferred",
    "ReferredSecret",
    "SecretBook",
    "SecretDefinition",
    "SecretReference",
    "is_reference",
    "readable_by_others",
    "reference_of",
    "values_seen",
]
