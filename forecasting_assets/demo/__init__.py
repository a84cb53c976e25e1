"""Synthetic marketplace: order files with known dirt, and manufacturers sized to the demand."""

from forecasting_assets.demo.market import Marketplace
from forecasting_assets.demo.marketplace import (
    GeneratedOrders,
    WrittenOrders,
    generate,
    write_marketplace,
    write_orders,
)

__all__ = ["GeneratedOrders", "Marketplace", "WrittenOrders", "generate", "write_marketplace", "write_orders"]
