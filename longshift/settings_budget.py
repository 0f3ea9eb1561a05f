"""Settings of what may be spent, by all sessions together too. Part of `settings.Settings`; a task has its own."""

from pydantic import Field
from pydantic_settings import BaseSettings

from longshift.contracts.fleet import FleetLimits


class BudgetSettings(BaseSettings):
    """Warnings, and limits of the fleet."""

    budget_warn_at_share: float = Field(default=0.8, gt=0, lt=1)
    """When so much of a task's budget is used, its agent and people are told."""
    fleet_usd_per_day: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """US dollars of all sessions together per UTC day; no limit when empty."""
    fleet_usd_per_month: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    fleet_tokens_per_day: int | None = Field(default=None, ge=0)
    fleet_tokens_per_month: int | None = Field(default=None, ge=0)

    @property
    def fleet_limits(self) -> FleetLimits:
        """What all sessions together may spend."""
        return FleetLimits(
            usd_per_day=self.fleet_usd_per_day,
            usd_per_month=self.fleet_usd_per_month,
            tokens_per_day=self.fleet_tokens_per_day,
            tokens_per_month=self.fleet_tokens_per_month,
        )
