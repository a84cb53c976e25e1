"""A synthetic marketplace: order files with known dirt, and manufacturers that fit the demand."""

from forecasting_assets.demo.market import Marketplace
from forecasting_assets.demo.marketplace import (
    GeneratedOrders,
    Written,
    generate,
    write_marketplace,
    write_orders,
)

__all__ = ["GeneratedOrders", "Marketplace", "Written", "generate", "write_marketplace", "write_orders"]
