"""Table of how many devices answered when."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, TenantOwned, of_tenant


class FleetSample(TenantOwned, Base):
    """A tenant's assets by status at one moment, the beginning of a quarter of an hour; older ones are the
    mean of an hour or a day that begins then.
    """

    __tablename__ = "fleet_samples"
    __table_args__ = (of_tenant(),)

    sampled_at: Mapped[datetime] = mapped_column(primary_key=True)
    online: Mapped[int]
    offline: Mapped[int]
    overdue: Mapped[int]
    unknown: Mapped[int]
