"""The continuous service: both directories kept in step all the time. See docs/architecture.md, "The service"."""
