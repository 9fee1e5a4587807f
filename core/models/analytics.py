"""What the flows write back: rollups, results and their watermarks."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, created_column


class DeliveryRate(Base):
    """The delivery figures of one window and one grouping, replaced whole when a window is computed again."""

    __tablename__ = "delivery_rates"

    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    window_end: Mapped[datetime] = mapped_column(primary_key=True)
    grouping: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    figures: Mapped[dict[str, Any]]
    computed_at: Mapped[datetime] = created_column()
